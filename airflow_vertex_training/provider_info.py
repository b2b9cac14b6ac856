"""What Airflow is told about this package, as one literal.

Airflow calls `get_provider_info` in every process that it starts, so this module imports nothing.
"""

from __future__ import annotations

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, object]:
    """Describe the package to Airflow.

    The connection form is the one of Google's own `google_cloud_platform` type, with the fields that
    a training job needs besides. Airflow 3.1 does not read `conn-fields`; there the hook makes the form.

    Returns:
        The provider's metadata, as `airflow/provider_info.schema.json` defines it.
    """
    return {
        "package-name": "airflow-vertex-training",
        "name": "Vertex AI training",
        "description": (
            "Train models on `Vertex AI <https://cloud.google.com/vertex-ai/docs/training/overview>`__: "
            "one job a task, watched for next to nothing, and ended when its task ends."
        ),
        "integrations": [
            {
                "integration-name": "Vertex AI training",
                "external-doc-url": "https://cloud.google.com/vertex-ai/docs/training/overview",
                "tags": ["gcp"],
            },
        ],
        "operators": [
            {
                "integration-name": "Vertex AI training",
                "python-modules": ["airflow_vertex_training.operators"],
            },
        ],
        "hooks": [
            {
                "integration-name": "Vertex AI training",
                "python-modules": ["airflow_vertex_training.hooks"],
            },
        ],
        "triggers": [
            {
                "integration-name": "Vertex AI training",
                "python-modules": ["airflow_vertex_training.triggers"],
            },
        ],
        "extra-links": [
            "airflow_vertex_training.links.VertexJobLink",
            "airflow_vertex_training.links.VertexLogsLink",
            "airflow_vertex_training.links.VertexTensorBoardLink",
            "airflow_vertex_training.links.VertexExperimentLink",
            "airflow_vertex_training.links.VertexOutputLink",
            "airflow_vertex_training.links.VertexShellLink",
        ],
        "connection-types": [
            {
                "connection-type": "vertex_training",
                "hook-class-name": "airflow_vertex_training.hooks.VertexTrainingHook",
                "hook-name": "Vertex AI training",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "schema", "login", "password", "port", "extra"],
                    "relabeling": {},
                    "placeholders": {},
                },
                "conn-fields": {
                    "project": {
                        "label": "Project Id",
                        "description": "Where jobs run. Empty: the credentials' own project.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "region": {
                        "label": "Region",
                        "description": "Where jobs run unless the task says otherwise, such as us-central1.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "service_account": {
                        "label": "Service Account of the Jobs",
                        "description": (
                            "Who the training code runs as, unless the task says otherwise. Whoever submits "
                            "needs iam.serviceAccounts.actAs on it."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "network": {
                        "label": "Network",
                        "description": (
                            "VPC network that jobs are peered with, unless the task says otherwise: "
                            "projects/NUMBER/global/networks/NAME."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "base_output_directory": {
                        "label": "Base Output Directory",
                        "description": "gs:// folder that jobs write to, unless the task says otherwise.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "labels": {
                        "label": "Labels (JSON)",
                        "description": 'On every job, such as {"team": "vision"}. A task\'s own labels win.',
                        "schema": {"type": ["string", "null"], "format": "multiline"},
                    },
                    "job_template": {
                        "label": "Job Template",
                        "description": (
                            "Name of a file in the folder [vertex_training] job_templates, which says what "
                            "tasks leave open. Its values win over the fields here."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "api_endpoint": {
                        "label": "API Endpoint",
                        "description": (
                            "host or host:port of a private endpoint, TLS. "
                            "Empty: REGION-aiplatform.googleapis.com."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "logging_endpoint": {
                        "label": "Logging Endpoint",
                        "description": (
                            "host or host:port of a private endpoint of Cloud Logging, TLS. "
                            "Empty: logging.googleapis.com."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "key_path": {
                        "label": "Keyfile Path",
                        "description": (
                            "JSON key of a service account, a file where Airflow's processes run. Empty, "
                            "with all the fields below: application default credentials."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "keyfile_dict": {
                        "label": "Keyfile JSON",
                        "description": "The key itself, instead of a path. Airflow stores it encrypted.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "credential_config_file": {
                        "label": "Credential Configuration File",
                        "description": (
                            "Path or content of a configuration for workload identity federation, instead of "
                            "a key."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "scope": {
                        "label": "Scopes (comma separated)",
                        "description": (
                            "OAuth scopes of the credentials. Empty: "
                            "https://www.googleapis.com/auth/cloud-platform, which jobs need."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "key_secret_name": {
                        "label": "Keyfile Secret Name (in GCP Secret Manager)",
                        "description": (
                            "Secret whose newest version is the JSON key, instead of a path. It is read with "
                            "application default credentials."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "key_secret_project_id": {
                        "label": "Keyfile Secret Project Id (in GCP Secret Manager)",
                        "description": "Project of that secret. Empty: application default credentials' own.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "num_retries": {
                        "label": "Number of Retries",
                        "description": (
                            "Of other Google hooks that use this connection. Training jobs don't need it: "
                            "their calls are repeated as long as that can help."
                        ),
                        "schema": {"type": ["integer", "null"], "default": 5, "minimum": 0},
                    },
                    "impersonation_chain": {
                        "label": "Impersonation Chain",
                        "description": (
                            "Service account to act as, or a chain of them with commas; the last one submits "
                            "the jobs. Each needs roles/iam.serviceAccountTokenCreator on the next. A task's "
                            "own chain wins."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "idp_issuer_url": {
                        "label": "IdP Token Issue URL (Client Credentials Grant Flow)",
                        "description": (
                            "Where an identity provider of yours issues tokens, for workload identity "
                            "federation. It needs the credential configuration file, and the next two "
                            "fields."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "client_id": {
                        "label": "Client ID (Client Credentials Grant Flow)",
                        "description": "Who asks the identity provider for a token.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "client_secret": {
                        "label": "Client Secret (Client Credentials Grant Flow)",
                        "description": "Its secret at the identity provider. Airflow stores it encrypted.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "idp_extra_params": {
                        "label": "IdP Extra Request Parameters",
                        "description": (
                            "JSON object with further parameters of the token request. Google's own form "
                            "calls the field idp_extra_parameters, by which its hook does not find it; here "
                            "it works."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "is_anonymous": {
                        "label": "Anonymous Credentials",
                        "description": (
                            "No credentials, say for a proxy that adds its own. Project, region and the "
                            "other defaults above count all the same; the fields with keys must be empty. "
                            "The emulator needs no such setting."
                        ),
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                    "quota_project_id": {
                        "label": "Quota Project ID",
                        "description": (
                            "Project whose quota the calls count on, and which pays for them. Empty: the one "
                            "of the credentials. Anonymous credentials ignore it."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                },
            },
        ],
        # Airflow 3.1 does not read it.
        "cli": ["airflow_vertex_training.cli.get_cli_commands"],
        "config": {
            "vertex_training": {
                "description": "Training jobs on Vertex AI.",
                "options": {
                    "deployment_id": {
                        "description": (
                            "Name of this Airflow installation, on every job as its ``airflow_deployment`` "
                            "label. Give each installation its own where several submit to one Google Cloud "
                            "project: only where it is set may a task cancel a job that an earlier life of "
                            "its DAG run left behind, as nothing else tells such a job from another "
                            "installation's."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "production",
                        "default": "airflow",
                    },
                    "requests_per_minute": {
                        "description": (
                            "How many requests a minute one process may send to watch jobs, for each project "
                            "and region. Watching slows down rather than go over it. The default is half of "
                            "Vertex AI's default quota of 600."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "120",
                        "default": "300",
                    },
                    "orphans": {
                        "description": (
                            "What a triggerer does with a job of this installation that nobody waits for any "
                            "more, because its task ended in a way that no hook of Airflow covers: "
                            "``cancel``, ``report`` (a warning in the log) or ``ignore``. Empty: ``cancel`` "
                            "where ``deployment_id`` is configured, else ``report``. Before you write "
                            "``cancel``, give this installation a ``deployment_id`` of its own: nothing else "
                            "tells its jobs from those of another one with the same DAGs."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "report",
                        "default": "",
                    },
                    "job_templates": {
                        "description": (
                            "Folder of job templates: YAML files that say what tasks leave open, by the "
                            "names of the operator's arguments. Every worker needs it; the DAG processor, if "
                            "tasks are to be checked against them when DAGs are parsed."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/opt/airflow/job_templates",
                        "default": "",
                    },
                    "orphan_grace_period": {
                        "description": (
                            "Seconds for which a job without a watcher is left alone before it is looked up "
                            "in Airflow."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "600",
                        "default": "300",
                    },
                    "log_reads_per_minute": {
                        "description": (
                            "How often a minute one process may read the logs of the jobs of one project. "
                            "Cloud Logging allows a project 60 reads, all its readers together; each finds "
                            "up to 1,000 lines of many jobs. Empty: 20 in a triggerer, 4 in a task that does "
                            "not defer."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "10",
                        "default": "",
                    },
                    "log_lines_per_minute": {
                        "description": (
                            "How many lines of one job's log are shown in a minute. A job that prints more "
                            "is left out for a while; the task's log says so."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "200",
                        "default": "1000",
                    },
                    "log_lines_in_all": {
                        "description": (
                            "How many lines of one job's log are shown in all. Of a job that prints more "
                            "only the last lines follow; the task's log says so."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "20000",
                        "default": "100000",
                    },
                },
            },
        },
    }
