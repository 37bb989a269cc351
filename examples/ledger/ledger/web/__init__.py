"""The ledger over HTTP: who may do what, the operations, one error shape, logs and traces."""
