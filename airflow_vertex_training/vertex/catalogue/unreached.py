"""Failures of calls that did not get to Vertex AI: no credentials, or nobody there."""

from __future__ import annotations

from airflow_vertex_training.vertex import exceptions as errors
from airflow_vertex_training.vertex.catalogue.entries import Entry

__all__ = ["UNREACHED"]

_IAM = "https://cloud.google.com/vertex-ai/docs/general/access-control"
_GRPC = "https://github.com/grpc/grpc/blob/master/doc/statuscodes.md"

UNREACHED = (
    Entry(
        title="There are no Google credentials here",
        explanation=(
            "The connection names none, so application default credentials serve, and this process has none "
            "that can be read."
        ),
        remedy=(
            "give the connection a keyfile, run 'gcloud auth application-default login', or correct "
            "GOOGLE_APPLICATION_CREDENTIALS where it is set. For the emulator, set VERTEX_AI_EMULATOR_HOST "
            "for each of Airflow's processes."
        ),
        call=errors.CredentialsError,
        codes=("DefaultCredentialsError",),
        source="https://cloud.google.com/docs/authentication/application-default-credentials",
    ),
    Entry(
        title="The connection's {fields} can't be used",
        explanation=(
            "What the connection says there leads to no credentials: a file, a key, or a secret is not right."
        ),
        remedy=(
            "check its fields key_path (a file on each of Airflow's machines), keyfile_dict, "
            "credential_config_file and key_secret_name (which application default credentials read), of "
            "which only one may be set. 'airflow connections test ID' tries them."
        ),
        call=errors.CredentialsError,
        codes=("UnusableCredentialsError",),
        pattern=r"(?:error itself|UnusableCredentialsError): (?P<fields>[a-z_]+(?: and [a-z_]+)*): ",
        source="https://airflow.apache.org/docs/apache-airflow-providers-google/stable/connections/gcp.html",
    ),
    Entry(
        title="The credentials may not impersonate the service account",
        explanation=(
            "The connection has an impersonation chain, and one of its accounts does not exist, or may not "
            "be impersonated by the one before it, or by the credentials themselves."
        ),
        remedy=(
            "check the accounts' names, and grant each the role Service Account Token Creator "
            "(roles/iam.serviceAccountTokenCreator) on the next."
        ),
        call=errors.CredentialsError,
        codes=("GoogleAuthError", "UNAVAILABLE"),
        pattern=r"unable to acquire impersonated credentials",
        samples=(
            (
                "UNAVAILABLE",
                (
                    "Getting metadata from plugin failed with error: ('Unable to acquire impersonated "
                    'credentials\', \'{"error": {"code": 403, "message": "Permission '
                    "iam.serviceAccounts.getAccessToken denied on resource (or it may not exist).\"}}')"
                ),
            ),
        ),
        source="https://cloud.google.com/iam/docs/service-account-impersonation",
    ),
    Entry(
        title="The machine's metadata server gave no credentials",
        explanation=(
            "The connection names none, so those of Google's machine or of GKE serve. This machine has no "
            "service account, or can't reach the metadata server."
        ),
        remedy=(
            "give the machine a service account, or on GKE link Airflow's Kubernetes service account to one "
            "(https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity), or give the "
            "connection a keyfile."
        ),
        call=errors.CredentialsError,
        codes=("GoogleAuthError", "TransportError", "UNAVAILABLE"),
        pattern=r"metadata\.google\.internal|169\.254\.169\.254|Compute Engine metadata",
        samples=(
            (
                "UNAVAILABLE",
                (
                    "Getting metadata from plugin failed with error: Failed to retrieve "
                    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/"
                    "token from the Google Compute Engine metadata service. Status: 404 Response: b''"
                ),
            ),
        ),
        source="https://cloud.google.com/compute/docs/metadata/overview",
    ),
    Entry(
        title="Google does not take the credentials",
        explanation="They have expired, were revoked, or belong to an account that may not get a token.",
        remedy=(
            "check the connection's keyfile or credential configuration, or, where a person's own "
            "credentials serve, run 'gcloud auth application-default login' again."
        ),
        call=errors.CredentialsError,
        codes=("UNAUTHENTICATED", "GoogleAuthError", "UNAVAILABLE"),
        pattern=(
            r"^(?:UNAUTHENTICATED|GoogleAuthError):"
            r"|metadata from plugin failed.*(?:invalid_grant|invalid_rapt|reauthentication)"
        ),
        samples=(
            (
                "UNAVAILABLE",
                (
                    "Getting metadata from plugin failed with error: ('invalid_grant: Token has been expired "
                    "or revoked.', {'error': 'invalid_grant'})"
                ),
            ),
            (
                "UNAUTHENTICATED",
                (
                    "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
                    "cookie or other valid authentication credential."
                ),
            ),
        ),
        source=_IAM,
    ),
    Entry(
        title="Google gave no token for the credentials",
        explanation="Either nobody answered where tokens are given, or the credentials are not good for one.",
        remedy=(
            "check the network's way to oauth2.googleapis.com, and the connection's keyfile or impersonation "
            "chain."
        ),
        call=errors.UnreachableError,
        codes=("UNAVAILABLE", "TransportError"),
        pattern=r"^TransportError|getting metadata from plugin failed",
        samples=(
            (
                "UNAVAILABLE",
                (
                    "Getting metadata from plugin failed with error: "
                    "HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded with "
                    "url: /token"
                ),
            ),
        ),
        source=_GRPC,
    ),
    Entry(
        title="The emulator's variable is not set in this process",
        explanation=(
            "The job was made on the emulator, by a process that has VERTEX_AI_EMULATOR_HOST set. This "
            "process, the triggerer as a rule, would look for the job on Vertex AI."
        ),
        remedy=(
            "set VERTEX_AI_EMULATOR_HOST for each of Airflow's processes, or for none, and start them again."
        ),
        call=errors.EndpointError,
        codes=("EmulatorVariableMissingError",),
        source="https://cloud.google.com/pubsub/docs/emulator",
    ),
    Entry(
        title="The endpoint speaks plaintext, not TLS",
        explanation=(
            "Something answers there, but it is no endpoint of Vertex AI; an emulator or a proxy, perhaps."
        ),
        remedy=(
            "check the connection's field api_endpoint. An emulator is named by VERTEX_AI_EMULATOR_HOST, "
            "set for each of Airflow's processes."
        ),
        call=errors.EndpointError,
        codes=("UNAVAILABLE",),
        pattern=r"WRONG_VERSION_NUMBER",
        source=_GRPC,
    ),
    Entry(
        title="What answers at the endpoint does not speak gRPC",
        explanation="It may be a web server or a proxy; an emulator's page is at the port after its own.",
        remedy="check the connection's field api_endpoint, or VERTEX_AI_EMULATOR_HOST where that is set.",
        call=errors.EndpointError,
        codes=("UNAVAILABLE",),
        pattern=r"failed parsing HTTP/2|http1\.x server",
        source=_GRPC,
    ),
    Entry(
        title="A proxy does not let the calls through",
        explanation=(
            "gRPC goes through the proxy that grpc_proxy, https_proxy or http_proxy names in the environment "
            "of Airflow's processes."
        ),
        remedy=(
            "have the proxy allow CONNECT to the endpoint, or name the endpoint's host in no_grpc_proxy for "
            "each of Airflow's processes."
        ),
        call=errors.UnreachableError,
        codes=("UNAVAILABLE",),
        pattern=r"HTTP proxy returned response code",
        samples=(
            (
                "UNAVAILABLE",
                (
                    "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.8:3128: HTTP proxy "
                    "returned response code 403"
                ),
            ),
        ),
        source="https://grpc.github.io/grpc/core/md_doc_environment_variables.html",
    ),
    Entry(
        title="There is no Vertex AI at this endpoint",
        explanation=(
            "Google answers there, but not Vertex AI: mostly there is no such region, or Vertex AI is not in "
            "it."
        ),
        remedy=(
            "check the region's spelling (https://cloud.google.com/vertex-ai/docs/general/locations) and the "
            "connection's field api_endpoint."
        ),
        call=errors.EndpointError,
        codes=("UNIMPLEMENTED", "UNKNOWN", "UNAVAILABLE"),
        pattern=r"http2 header with status: 404|<title>Error 404",
        samples=(("UNIMPLEMENTED", "Received http2 header with status: 404"),),
        source="https://github.com/googleapis/python-aiplatform/issues/2117",
    ),
    Entry(
        title="The endpoint is one of {region}, and the job is for another region",
        explanation="Each of Vertex AI's endpoints takes jobs of its own region only.",
        remedy=(
            "empty the connection's field api_endpoint, or name an endpoint of the job's region there; with "
            "several regions, a connection each."
        ),
        call=errors.EndpointError,
        codes=("INVALID_ARGUMENT",),
        pattern=(
            r"location ID doesn't match the endpoint(?:\. The valid location ID is `?(?P<region>[\w-]+))?"
        ),
        samples=(
            (
                "INVALID_ARGUMENT",
                (
                    "The provided location ID doesn't match the endpoint. The valid location ID is "
                    "`us-central1`."
                ),
            ),
        ),
        source="https://github.com/kubeflow/pipelines/pull/6011",
    ),
    Entry(
        title="The endpoint's TLS certificate is not trusted here",
        explanation=("A proxy on the way opens TLS, or the private endpoint has a certificate of its own."),
        remedy=(
            "check the connection's field api_endpoint, and have gRPC trust the certificate: "
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=FILE for each of Airflow's processes."
        ),
        call=errors.EndpointError,
        codes=("UNAVAILABLE",),
        pattern=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        source="https://grpc.github.io/grpc/core/md_doc_environment_variables.html",
    ),
    Entry(
        title="The endpoint's host name does not exist",
        explanation="The name can't be looked up here, so no request was sent.",
        remedy="check the region's spelling, the connection's field api_endpoint, and this machine's DNS.",
        call=errors.UnreachableError,
        codes=("UNAVAILABLE",),
        # gRPC has two resolvers, each with its own words.
        pattern=r"DNS resolution failed|errors resolving",
        source=_GRPC,
    ),
    Entry(
        title="Nothing answers at the endpoint",
        explanation="There was no connection, so no request was sent.",
        remedy=(
            "check the connection's field api_endpoint, the network, and VERTEX_AI_EMULATOR_HOST where it is "
            "set: does the emulator run?"
        ),
        call=errors.UnreachableError,
        codes=("UNAVAILABLE",),
        pattern=r"failed to connect to all addresses",
        source=_GRPC,
    ),
)
