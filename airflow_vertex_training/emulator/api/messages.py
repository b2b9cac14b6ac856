"""Google's message types as plain protobuf classes.

The generated proto-plus wrappers cost a conversion at each access; a server that lists thousands of jobs
works on the messages below them. `X.pb()` gives the class under the wrapper.
"""

from __future__ import annotations

from typing import Any

from google.cloud.aiplatform_v1.types import custom_job, job_service, job_state
from google.cloud.logging_v2.types import log_entry, logging

Message = Any
"""A protobuf message. The classes are made at run time, so a type checker knows nothing of them."""

CustomJob: Any = custom_job.CustomJob.pb()
CustomJobSpec: Any = custom_job.CustomJobSpec.pb()
WorkerPoolSpec: Any = custom_job.WorkerPoolSpec.pb()
CreateCustomJobRequest: Any = job_service.CreateCustomJobRequest.pb()
GetCustomJobRequest: Any = job_service.GetCustomJobRequest.pb()
ListCustomJobsRequest: Any = job_service.ListCustomJobsRequest.pb()
ListCustomJobsResponse: Any = job_service.ListCustomJobsResponse.pb()
CancelCustomJobRequest: Any = job_service.CancelCustomJobRequest.pb()
DeleteCustomJobRequest: Any = job_service.DeleteCustomJobRequest.pb()
LogEntry: Any = log_entry.LogEntry.pb()
ListLogEntriesRequest: Any = logging.ListLogEntriesRequest.pb()
ListLogEntriesResponse: Any = logging.ListLogEntriesResponse.pb()

JobState: Any = job_state.JobState
