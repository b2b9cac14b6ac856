"""What Vertex AI knows: jobs, their states, the calls that make, watch and end them. No Airflow in here."""
