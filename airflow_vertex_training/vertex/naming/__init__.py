"""Legal names and labels, and who asks for a job."""
