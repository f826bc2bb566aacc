"""Scripts that launch Apache Beam jobs on one machine or a cluster."""
