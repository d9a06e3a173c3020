-- What people decided on stretches of series. Rows are never removed; withdrawn_* tell of who took one back.
CREATE TABLE reviews (
    id bigint PRIMARY KEY, well_id text NOT NULL, parameter text NOT NULL, from_time timestamptz, to_time timestamptz,
    action text NOT NULL, amount double precision, amount_end double precision, author text NOT NULL, reason text NOT NULL,
    seq bigint NOT NULL, created_at timestamptz NOT NULL, readings bigint NOT NULL, done_at timestamptz,
    withdrawn_by text, withdrawn_reason text, withdrawn_seq bigint, withdrawn_at timestamptz,
    withdrawal_done_at timestamptz
);
