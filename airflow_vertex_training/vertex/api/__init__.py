"""Calls to Vertex AI: where, how often, and what an error means."""
