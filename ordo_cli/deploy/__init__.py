"""What running ordo as a service takes beside ordo: a container's first start, metrics, alerts, a systemd unit."""
