CREATE TABLE invoices (
    id VARCHAR(40) PRIMARY KEY,
    number VARCHAR(8) NOT NULL UNIQUE,
    customer_id VARCHAR(40) NOT NULL,
    amount NUMERIC(12, 2) NOT NULL CHECK (amount > 0),
    currency CHAR(3) NOT NULL,
    status VARCHAR(10) NOT NULL DEFAULT 'Draft'
        CHECK (status IN ('Draft', 'Approved', 'Locked', 'Paid'))
);

CREATE TABLE refunds (
    id VARCHAR(40) PRIMARY KEY,
    invoice_id VARCHAR(40) NOT NULL REFERENCES invoices (id),
    refund_amount NUMERIC(12, 2) NOT NULL CHECK (refund_amount > 0),
    reason VARCHAR(200)
);
