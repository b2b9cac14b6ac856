"""The names of the gRPC services that the emulator has methods of."""

from __future__ import annotations

__all__ = ["JOB_SERVICE", "LOCATIONS", "LOGGING_SERVICE", "OPERATIONS"]

JOB_SERVICE = "google.cloud.aiplatform.v1.JobService"
LOGGING_SERVICE = "google.logging.v2.LoggingServiceV2"
OPERATIONS = "google.longrunning.Operations"
LOCATIONS = "google.cloud.location.Locations"
