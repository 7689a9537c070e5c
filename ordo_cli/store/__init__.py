"""What ordo remembers: accounts, the journal of fan-outs and legs, the kill switch's record and the audit log."""
