"""A small ledger of invoices, payments and refunds: the service Premortem is shown on."""
