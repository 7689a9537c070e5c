"""What brokers' answers mean, a file of data for each broker; `ordo_cli.brokers.answers` says how they read."""
