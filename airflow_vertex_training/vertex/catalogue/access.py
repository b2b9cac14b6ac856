"""Refusals that are about the account or the project that asks, not about the job."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["ACCESS", "PERMISSION"]

_IAM = "https://cloud.google.com/vertex-ai/docs/general/access-control"
_REASONS = "https://cloud.google.com/apis/docs/reference/rpc/google.api#errorreason"

ACCESS = (
    Entry(
        title="The submitting account may not act as {account}",
        explanation=(
            "A job runs as a service account, and whoever submits the job needs the permission "
            "iam.serviceAccounts.actAs on that account."
        ),
        remedy=(
            "check that the account exists, and grant the submitting account the role Service Account User: "
            "'gcloud iam service-accounts add-iam-policy-binding {account} --member=serviceAccount:SUBMITTER "
            "--role=roles/iam.serviceAccountUser'."
        ),
        call=errors.PermissionDeniedError,
        codes=("INVALID_ARGUMENT", "PERMISSION_DENIED"),
        pattern=(
            r"permission to act as service.?account:?\s*(?P<account>\S+@\S+)?"
            r"|(?:serviceAccounts\.|permission to )actAs\b(?:[^@]*?(?P<account_>[\w.-]+@[\w.-]+))?"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "You do not have permission to act as service_account: "
                    "trainer@acme.iam.gserviceaccount.com. (or it may not exist)."
                ),
            ),
            (
                "PERMISSION_DENIED",
                (
                    "Permission 'iam.serviceaccounts.actAs' denied on service account "
                    "trainer@acme.iam.gserviceaccount.com (or it may not exist)."
                ),
            ),
        ),
        source="https://github.com/googleapis/python-aiplatform/issues/1073",
    ),
    # Its reason is SERVICE_DISABLED, but the API is enabled.
    Entry(
        title="These credentials need a quota project",
        explanation=(
            "They are a person's own, from 'gcloud auth application-default login', and do not say on which "
            "project's quota the calls count."
        ),
        remedy=(
            "set the connection's field quota_project_id, or 'gcloud auth application-default "
            "set-quota-project PROJECT' where Airflow's processes run. A service account's credentials need "
            "none."
        ),
        call=errors.CredentialsError,
        codes=("PERMISSION_DENIED",),
        pattern=r"requires a quota project",
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Your application is authenticating by using local Application Default Credentials. The "
                    "aiplatform.googleapis.com API requires a quota project, which is not set by default. To "
                    "learn how to set your quota project, see "
                    "https://cloud.google.com/docs/authentication/adc-troubleshooting/user-creds ."
                ),
            ),
        ),
        source="https://cloud.google.com/docs/authentication/adc-troubleshooting/user-creds",
    ),
    Entry(
        title="The account may not use the quota of project {project}",
        explanation=(
            "Calls count on the quota of the credentials' quota project, or of the one in the connection's "
            "field quota_project_id."
        ),
        remedy=(
            "grant the account the role Service Usage Consumer (roles/serviceusage.serviceUsageConsumer) in "
            "that project, or name another quota project."
        ),
        call=errors.PermissionDeniedError,
        codes=("PERMISSION_DENIED",),
        pattern=r"required permission to use project (?P<project>[\w:.-]+\w)",
        reasons=("USER_PROJECT_DENIED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Caller does not have required permission to use project acme. Grant the caller the "
                    "roles/serviceusage.serviceUsageConsumer role, or a custom role with the "
                    "serviceusage.services.use permission, by visiting "
                    "https://console.developers.google.com/iam-admin/iam/project?project=acme and then retry."
                ),
            ),
        ),
        source="https://cloud.google.com/docs/quotas/set-quota-project",
    ),
    Entry(
        title="The {api} is not enabled in project {project}",
        explanation="A project has to enable it once. That can take some minutes.",
        remedy="run 'gcloud services enable {service} --project {project}'.",
        call=errors.ApiNotEnabledError,
        # Also where no token is given for it: without its API, nobody impersonates.
        pattern=(
            r"(?P<api>\w[\w ]{0,60}? API) has not been used in project (?P<project>\S+)"
            r"(?:.*?apis/api/(?P<service>[\w.]+)/)?"
        ),
        reasons=("SERVICE_DISABLED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Vertex AI API has not been used in project 123456789012 before or it is disabled. "
                    "Enable it by visiting "
                    "https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview"
                    "?project=123456789012 then retry."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/start/cloud-environment",
    ),
    Entry(
        title="Project {project} has no billing account",
        explanation=(
            "Vertex AI trains only for projects that pay: the account is missing, closed, or overdue."
        ),
        remedy=(
            "link one at https://console.cloud.google.com/billing/linkedaccount?project={project}. It takes "
            "some minutes until that counts."
        ),
        call=errors.ProjectBlockedError,
        codes=("PERMISSION_DENIED", "FAILED_PRECONDITION"),
        pattern=(
            r"requires billing to be enabled(?:.{0,40} on project #?(?P<project>[\w:.-]+))?"
            r"|billing account for the owning project is disabled"
        ),
        reasons=("BILLING_DISABLED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "This API method requires billing to be enabled. Please enable billing on project #acme "
                    "by visiting https://console.developers.google.com/billing/enable?project=acme then "
                    "retry. If you enabled billing for this project recently, wait a few minutes for the "
                    "action to propagate to our systems and retry."
                ),
            ),
        ),
        source=_REASONS,
    ),
    Entry(
        title="Google has suspended project {project}",
        explanation="A suspended project is refused everything, whatever its accounts may do.",
        remedy=(
            "read the mail that Google has sent to the project's owners. It says why, and how to appeal."
        ),
        call=errors.ProjectBlockedError,
        codes=("PERMISSION_DENIED",),
        pattern=r"consumer\W+(?:projects/)?(?P<project>[\w:.-]+)\W+has been suspended",
        reasons=("CONSUMER_SUSPENDED",),
        samples=(("PERMISSION_DENIED", "Permission denied: Consumer 'projects/acme' has been suspended."),),
        source=_REASONS,
    ),
    Entry(
        title="There is no project {project}, or the account may not use it",
        explanation=(
            "Vertex AI wants a project's id, such as acme-ml-4711. It does not take the display name, such "
            "as Acme ML."
        ),
        remedy=(
            "look the id up ('gcloud projects list'), and give it as project_id or in the connection's field "
            "project."
        ),
        call=errors.ProjectNotFoundError,
        codes=("PERMISSION_DENIED", "INVALID_ARGUMENT", "NOT_FOUND"),
        pattern=(
            r"permission denied on resource project (?P<project>[^\n]+)|invalid resource project"
            r"|project\W+(?:projects/)?(?P<project_>[\w:.-]{1,60})\W+(?:not found or|has been) deleted"
            r"|invalid resource field value"
        ),
        reasons=("CONSUMER_INVALID", "RESOURCE_PROJECT_INVALID"),
        samples=(
            ("PERMISSION_DENIED", "Permission denied on resource project My First Project."),
            ("INVALID_ARGUMENT", "Invalid resource field value in the request."),
        ),
        source="https://github.com/GoogleCloudPlatform/training-data-analyst/issues/1811",
    ),
    Entry(
        title="Vertex AI's service agents are not there yet",
        explanation=(
            "They are accounts that Google makes when a project uses Vertex AI for the first time. That "
            "takes some minutes."
        ),
        remedy=(
            "try again in some minutes. If it stays, run 'gcloud beta services identity create "
            "--service=aiplatform.googleapis.com --project=PROJECT'."
        ),
        call=errors.VertexApiError,
        pattern=(
            r"service agents? (?:are|is) being provisioned"
            r"|@gcp-sa-aiplatform[\w.-]*\w\W+(?:does not exist|(?:was |is )?not found)"
        ),
        samples=(
            (
                "FAILED_PRECONDITION",
                (
                    "Service agents are being provisioned "
                    "(https://cloud.google.com/vertex-ai/docs/general/access-control#service-agents). "
                    "Service agents are needed to read the Cloud Storage file provided. So please try again "
                    "in a few minutes."
                ),
            ),
            (
                "INVALID_ARGUMENT",
                (
                    "Service account service-123456789012@gcp-sa-aiplatform-cc.iam.gserviceaccount.com does "
                    "not exist."
                ),
            ),
        ),
        source="https://cloud.google.com/vertex-ai/docs/general/access-control#service-agents",
    ),
    Entry(
        title="The credentials' scopes do not cover Vertex AI",
        explanation=(
            "What an account may do is limited by the scopes of its credentials: those in the connection's "
            "field scope, or those of the machine that Airflow runs on."
        ),
        remedy=(
            "leave the connection's field scope empty. On a machine of Google's, give it the scope "
            "https://www.googleapis.com/auth/cloud-platform, for which it has to be stopped, or name a "
            "service account's key or an impersonation chain in the connection."
        ),
        call=errors.PermissionDeniedError,
        codes=("PERMISSION_DENIED",),
        pattern=r"insufficient authentication scopes",
        reasons=("ACCESS_TOKEN_SCOPE_INSUFFICIENT",),
        samples=(("PERMISSION_DENIED", "Request had insufficient authentication scopes."),),
        source=_REASONS,
    ),
)

# After all that are more special, and are refused by PERMISSION_DENIED, too.
PERMISSION = (
    Entry(
        title="The account lacks a permission outside of Vertex AI: {permission}",
        explanation="It belongs to another service, so the role Vertex AI User does not include it.",
        remedy=(
            "grant the account that the connection uses a role that does include it: "
            "https://cloud.google.com/iam/docs/roles-permissions."
        ),
        call=errors.PermissionDeniedError,
        codes=("PERMISSION_DENIED",),
        pattern=(
            r"permission '(?P<permission>(?!aiplatform\.)[\w.]+)' denied"
            r"|required '(?P<permission_>(?!aiplatform\.)[\w.]+)' permission"
        ),
        samples=(
            (
                "PERMISSION_DENIED",
                "Permission 'compute.networks.get' denied on resource 'projects/acme' (or it may not exist).",
            ),
        ),
        source="https://cloud.google.com/iam/docs/roles-permissions",
    ),
    Entry(
        title="The account lacks the permission {permission}",
        explanation="Google does not say whether the project, or the job, does not exist or may not be used.",
        remedy=(
            "check the project's id and the region, and grant the account that the connection uses the role "
            "Vertex AI User (roles/aiplatform.user) in that project."
        ),
        call=errors.PermissionDeniedError,
        codes=("PERMISSION_DENIED",),
        pattern=r"permission '(?P<permission>[\w.]+)' denied|$",
        reasons=("IAM_PERMISSION_DENIED",),
        samples=(
            (
                "PERMISSION_DENIED",
                (
                    "Permission 'aiplatform.customJobs.create' denied on resource "
                    "'//aiplatform.googleapis.com/projects/acme/locations/us-central1' (or it may not exist)."
                ),
            ),
        ),
        source=_IAM,
    ),
)
