"""Credentials, endpoint and defaults of a connection, and the calls that they are needed for."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, Connection
from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from airflow_vertex_training import compat, connections, settings
from airflow_vertex_training.vertex.api.emulator import (
    EMULATOR_VARIABLE,
    EmulatorVariableMissingError,
    check_address,
    emulator_address,
)
from airflow_vertex_training.vertex.exceptions import (
    InvalidJobError,
    MissingSettingError,
    VertexTrainingError,
)
from airflow_vertex_training.vertex.naming.job_name import JobName
from airflow_vertex_training.vertex.spec import table, waiting
from airflow_vertex_training.vertex.spec.arguments import read_connection
from airflow_vertex_training.vertex.spec.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient, JobServiceClient
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient

    from airflow_vertex_training.vertex.api.calls import Jobs
    from airflow_vertex_training.vertex.spec.layers import Layer
    from airflow_vertex_training.vertex.states import JobSnapshot
    from airflow_vertex_training.vertex.submit.places import Place

# The client library takes seconds to load, so the modules that need it are imported where they are used:
# Airflow loads this one also to show a connection form.

logger = logging.getLogger(__name__)

# Ids of connections that were looked for and are not there.
_missing: set[str] = set()

_EMULATOR_PROJECT = "emulator"
_EMULATOR_ACCOUNT = "training@emulator.iam.gserviceaccount.com"


class VertexTrainingHook(GoogleBaseHook):
    """Reach Vertex AI's ``JobService`` by an Airflow connection.

    Every way to authenticate of the Google provider's ``GoogleBaseHook`` works. A connection of type
    ``google_cloud_platform`` serves as well. Where ``VERTEX_AI_EMULATOR_HOST`` is set, all calls go there,
    in plaintext and without credentials.

    Args:
        gcp_conn_id: Airflow connection, default ``vertex_training_default``. Where that default does not
            exist, application default credentials serve.
        impersonation_chain: service account to act as, or a chain of them, default none.
        **kwargs: of ``GoogleBaseHook``.

    Raises:
        AirflowNotFoundException: ``gcp_conn_id`` is not the default and does not exist.
    """

    conn_name_attr = "gcp_conn_id"
    default_conn_name = settings.DEFAULT_CONNECTION_ID
    conn_type = "vertex_training"
    hook_name = "Vertex AI training"

    def __init__(
        self,
        gcp_conn_id: str = default_conn_name,
        impersonation_chain: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        reader = Reader()
        chain = waiting.impersonation_chain(impersonation_chain, "impersonation_chain", reader)
        reader.raise_findings()
        super().__init__(gcp_conn_id=gcp_conn_id, impersonation_chain=chain, **kwargs)
        if not chain:
            field = f"connection {gcp_conn_id!r}: impersonation_chain"
            own = self._get_field("impersonation_chain")
            self.impersonation_chain = waiting.impersonation_chain(own, field, reader)
            reader.raise_findings()

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return the connection; an empty one where the default one does not exist.

        Raises:
            AirflowNotFoundException: another one does not exist, or Airflow did not answer.
            VertexTrainingError: Airflow did not answer whether the default one exists.
        """
        try:
            with compat.connection_lookup(conn_id):
                found = super().get_connection(conn_id)
        except AirflowNotFoundException:
            if conn_id != cls.default_conn_name:
                raise
            if not compat.connection_is_missing(conn_id):
                # Others than the connection's credentials must not serve by mistake.
                msg = f"Airflow did not say whether there is a connection {conn_id!r}: try again"
                raise VertexTrainingError(msg) from None
        else:
            _missing.discard(conn_id)
            connections.check(found)
            return found
        _missing.add(conn_id)
        return Connection(conn_id=conn_id, conn_type=cls.conn_type)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's fields for Airflow 3.1, which knows no ``conn-fields``."""
        return compat.connection_form_widgets(connections.connection_type()["conn-fields"])

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which of Airflow's standard fields the connection form hides."""
        behaviour = connections.connection_type()["ui-field-behaviour"]
        return {"hidden_fields": behaviour["hidden-fields"], "relabeling": behaviour["relabeling"]}

    def get_credentials_and_project_id(self) -> tuple[Credentials, str | None]:
        """Return the connection's credentials and project; anonymous ones for the emulator.

        Raises:
            CredentialsError: there are none, or they are not to be used.
        """
        emulator = emulator_address()
        # Said here and not by the constructor: who only looks at the connection's fields uses neither.
        if self.gcp_conn_id in _missing:
            _say_what_serves(self.gcp_conn_id, "the emulator's" if emulator else "application default")
        if emulator:
            _warn_of_emulator(emulator)
            project = self._get_field("project") or os.environ.get("GOOGLE_CLOUD_PROJECT")
            return AnonymousCredentials(), project or _EMULATOR_PROJECT
        try:
            return super().get_credentials_and_project_id()
        except Exception as error:
            raise self._no_credentials(error) from error

    def _no_credentials(self, error: Exception) -> VertexTrainingError:
        """Return our error of credentials that can't be had: a file that is not there, a key that is none."""
        from google.api_core.exceptions import GoogleAPICallError

        from airflow_vertex_training.vertex.api import advice

        fields = connections.credential_fields(self._get_field)
        # Google's words for a configuration that can't be read are that there are no default credentials.
        is_of_fields = bool(fields) and isinstance(error, DefaultCredentialsError)
        if is_of_fields or not isinstance(error, (GoogleAuthError, GoogleAPICallError)):
            error = connections.UnusableCredentialsError(fields, error)
        return advice.api_error(f"Getting the credentials of connection {self.gcp_conn_id!r}", error)

    def resolve_project(self, project_id: str | None = None) -> str:
        """Return the given project, else the connection's, else that of its credentials.

        Raises:
            MissingSettingError: there is none.
        """
        project = project_id or self._get_field("project") or self.get_credentials_and_project_id()[1]
        if not project:
            raise MissingSettingError(
                "project_id",
                f"pass project_id='acme-ml-4711', or set the field project of the connection "
                f"{self.gcp_conn_id!r}, or use credentials that name one",
            )
        return str(project)

    def resolve_region(self, region: str | None = None) -> str:
        """Return the given region, else the connection's.

        Raises:
            MissingSettingError: there is none.
            InvalidJobError: it is no region.
        """
        reader = Reader()
        said = reader.said(table.JOB["region"], region, "region") if region else None
        said = said or self.layer(reader).job.get("region")
        reader.raise_findings()
        if said is None or not said.value:
            raise MissingSettingError(
                "region", f"pass region='us-central1', or set it in the connection {self.gcp_conn_id!r}"
            )
        return str(said.value)

    def resolve_service_account(self, service_account: str | None = None) -> str:
        """Return the given account, else the connection's, else the one that the credentials are of.

        Raises:
            MissingSettingError: there is none.
        """
        account = service_account or self._get_field("service_account") or self._own_account()
        if not account:
            raise MissingSettingError(
                "service_account",
                "pass service_account='NAME@PROJECT.iam.gserviceaccount.com', or set it in the connection "
                f"{self.gcp_conn_id!r}, or let the connection use a service account's credentials",
            )
        return account

    def _own_account(self) -> str | None:
        if emulator_address():
            return _EMULATOR_ACCOUNT
        credentials = self.get_credentials()
        account = getattr(credentials, "service_account_email", None)
        if account == "default":
            # On Compute Engine the account's name is known only after a call to the metadata server.
            account = self._get_credentials_email
        return account if account and "@" in account else None

    def layer(self, reader: Reader) -> Layer:
        """Return what the connection says of a job, checked by the rules for the operator's arguments.

        Args:
            reader: keeps what is wrong.
        """
        self._check_endpoint("api_endpoint", reader)
        self._check_endpoint("logging_endpoint", reader)
        fields = {name: self._get_field(name) for name in table.CONNECTION}
        return read_connection(fields, self.gcp_conn_id, reader)

    def _check_endpoint(self, field: str, reader: Reader) -> None:
        try:
            if address := self.connection_default(field):
                check_address(f"connection {self.gcp_conn_id!r}: {field}", address)
        except InvalidJobError as error:
            reader.wrong(error.field, error.problem)

    def connection_default(self, field: str) -> str | None:
        """Return a field of the connection, such as ``network``, ``None`` where it is empty."""
        return str(self._get_field(field) or "") or None

    def _get_field(self, f: str, default: Any = None) -> Any:
        value = super()._get_field(f, default)
        # Google's hook takes any text for yes, "False" as well.
        if f == "is_anonymous":
            return connections.is_yes(value)
        # What was pasted into the form may have space around it.
        return value.strip() if isinstance(value, str) else value

    def get_job_service_client(self, region: str) -> JobServiceClient:
        """Open a synchronous client for a region. The caller closes its ``transport``."""
        from airflow_vertex_training.vertex.api import endpoint

        where = endpoint.endpoint(region, self.connection_default("api_endpoint"))
        return endpoint.open_client(where, self.get_credentials())

    async def get_async_job_service_client(self, region: str) -> JobServiceAsyncClient:
        """Open an asynchronous client for a region. The caller closes its ``transport``."""
        from airflow_vertex_training.vertex.api import endpoint

        where = endpoint.endpoint(region, self.connection_default("api_endpoint"))
        credentials = await asyncio.to_thread(self.get_credentials)
        return endpoint.open_async_client(where, credentials)

    async def get_async_logging_client(self, region: str) -> LoggingServiceV2AsyncClient:
        """Open an asynchronous client of Cloud Logging. The caller closes its ``transport``.

        Args:
            region: of the jobs whose logs are read; an emulator of it has their logs, too.
        """
        from airflow_vertex_training.vertex.api import endpoint, log_calls

        vertex = endpoint.endpoint(region, self.connection_default("api_endpoint"))
        where = log_calls.logging_endpoint(vertex, self.connection_default("logging_endpoint"))
        credentials = await asyncio.to_thread(self.get_credentials)
        return log_calls.open_async_logging_client(where, credentials)

    def jobs(self, region: str, project_id: str | None = None) -> Jobs:
        """Return the jobs of a region, for a ``with`` block, which closes the channel."""
        from airflow_vertex_training.vertex.api.calls import Jobs

        project, credentials = self.resolve_project(project_id), self.get_credentials()
        return Jobs(self.get_job_service_client(region), project, region, credentials=credentials)

    def jobs_at(self, place: Place) -> Jobs | None:
        """Return the jobs of a place where an earlier try of a task has asked, by these credentials.

        Args:
            place: project, region and endpoint.

        Returns:
            The jobs, for a ``with`` block; ``None`` where this process reaches another emulator only.
        """
        from airflow_vertex_training.vertex.api import endpoint
        from airflow_vertex_training.vertex.api.calls import Jobs

        where = endpoint.endpoint(place.region, place.address)
        if where.address != place.address:
            return None
        credentials = self.get_credentials()
        client = endpoint.open_client(where, credentials)
        return Jobs(client, place.project, place.region, credentials=credentials)

    def get_job(self, job_name: str) -> JobSnapshot:
        """Return a job as it is now.

        Raises:
            VertexApiError: the API's error did not pass within two minutes, or never will.
        """
        with self._jobs_of(job_name) as jobs:
            return jobs.get(job_name)

    def cancel_job(self, job_name: str) -> bool:
        """Ask Vertex to cancel a job, through transient errors.

        Returns:
            Whether Vertex took the request; ``False`` where the job has ended already or is gone.

        Raises:
            VertexApiError: the API's error did not pass within two minutes, or never will.
        """
        with self._jobs_of(job_name) as jobs:
            return jobs.cancel(job_name)

    def _jobs_of(self, job_name: str) -> Jobs:
        name = JobName.parse(job_name)
        return self.jobs(name.region, name.project)

    def test_connection(self) -> tuple[bool, str]:
        """Check the connection's fields, make one real list call, and say in words what came of it."""
        reader = Reader()
        try:
            self.layer(reader)
            reader.raise_findings()
            region = self.resolve_region()
            with self.jobs(region) as jobs:
                jobs.check()
                can = f"jobs in {region} of project {jobs.project} can be listed."
            return True, (
                self._emulator_answers(can) or f"Vertex AI answers: {can}"
            ) + connections.unknown_fields(self.extras)
        except VertexTrainingError as error:
            return False, f"{error}{connections.unknown_fields(self.extras)}"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with credentials, this is where to say it
            return False, f"The credentials don't work. {type(error).__name__}: {error}"

    def _emulator_answers(self, can: str) -> str | None:
        """Say that it was the emulator that answered, and which fields it did not look at."""
        address = emulator_address()
        if not address:
            return None
        told = f"The emulator at {address} answers, not Vertex AI ({EMULATOR_VARIABLE} is set): {can}"
        fields = connections.connection_type()["conn-fields"].keys() - table.CONNECTION.keys()
        ignored = sorted(field for field in fields if self._get_field(field))
        return f"{told} It ignores the connection's {', '.join(ignored)}." if ignored else told


def emulator_is_not_named(job_name: str) -> VertexTrainingError:
    """Return the error of a job that was made on the emulator, of which this process does not know."""
    from airflow_vertex_training.vertex.api import advice

    return advice.api_error(f"Watching {job_name}", EmulatorVariableMissingError())


@functools.cache
def _say_what_serves(conn_id: str, whose: str) -> None:
    """Say it once in a process: a triggerer looks the connection up for every project and region."""
    logger.info("There is no connection %r, so %s credentials serve", conn_id, whose)


@functools.cache
def _warn_of_emulator(address: str) -> None:
    """Say it once in a process, which is once in a task's log."""
    logger.warning("%s is set: jobs run on the emulator at %s, not on Vertex AI", EMULATOR_VARIABLE, address)
