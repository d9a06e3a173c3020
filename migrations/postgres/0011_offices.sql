-- Offices and contacts as texts, one row a contact (contact_id is '' of an office without one); known_to is NULL of those of now.
CREATE TABLE office_versions (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    office_id text NOT NULL, level text, place_code text, office_name text, office_name_th text, office_phone text,
    messages_per_minute text, contact_id text, contact_name text, channel text, address text, secret text, language text,
    min_severity text, hazards text, scopes text, quiet_hours text, digest text, drills text, active text,
    unreachable_since timestamptz, known_from timestamptz NOT NULL, known_to timestamptz
);
CREATE INDEX office_versions_now ON office_versions (office_id) WHERE known_to IS NULL;
-- One row: how often offices were changed.
CREATE TABLE office_changes (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), version bigint NOT NULL);
INSERT INTO office_changes (version) VALUES (0);
CREATE TABLE office_invites (
    code_sha256 text PRIMARY KEY, contact_id text NOT NULL, created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, created_by text NOT NULL, used_at timestamptz
);

-- Who did what about a flag. Rows are never removed.
CREATE TABLE flag_actions (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flag_id text NOT NULL, at timestamptz NOT NULL, action text NOT NULL, by text NOT NULL, via text NOT NULL,
    contact_id text, text text, transition bigint,
    UNIQUE (flag_id, at, action, by, via)
);
CREATE TABLE flag_holds (
    hold_id text PRIMARY KEY, kind text NOT NULL, hazard text, scope text NOT NULL, place text NOT NULL,
    from_time timestamptz NOT NULL, until_time timestamptz, severity text, reason text NOT NULL, by text NOT NULL,
    created_at timestamptz NOT NULL, ended_at timestamptz, ended_by text
);
CREATE TABLE drills (
    drill_id text PRIMARY KEY, kind text NOT NULL, hazard text NOT NULL, severity text NOT NULL, scope text NOT NULL,
    place text NOT NULL, province_code text NOT NULL, at timestamptz NOT NULL, by text NOT NULL
);

-- What is owed goes to more than one channel now: leases, order, age, digests, and what became of it.
ALTER TABLE outbox
    ADD COLUMN flag_id text, ADD COLUMN office_id text, ADD COLUMN contact_id text, ADD COLUMN stream text,
    ADD COLUMN not_before timestamptz NOT NULL DEFAULT 'epoch', ADD COLUMN expires_at timestamptz,
    ADD COLUMN digest text, ADD COLUMN state text NOT NULL DEFAULT 'pending',
    ADD COLUMN attempts bigint NOT NULL DEFAULT 0, ADD COLUMN next_at timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN leased_by text, ADD COLUMN leased_until timestamptz, ADD COLUMN ended_at timestamptz,
    ADD COLUMN detail text;
UPDATE outbox SET state = 'delivered', ended_at = delivered_at WHERE delivered_at IS NOT NULL;
DROP INDEX outbox_owed;
ALTER TABLE outbox DROP COLUMN delivered_at;
CREATE INDEX outbox_owed ON outbox (channel, next_at) WHERE state = 'pending';
CREATE INDEX outbox_streams ON outbox (stream, n) WHERE state = 'pending' AND stream IS NOT NULL;
CREATE INDEX outbox_digests ON outbox (digest) WHERE state = 'pending' AND digest IS NOT NULL;
CREATE INDEX outbox_by_flag ON outbox (flag_id);
CREATE TABLE delivery_attempts (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text NOT NULL, at timestamptz NOT NULL, outcome text NOT NULL, detail text NOT NULL
);
CREATE INDEX delivery_attempts_by_key ON delivery_attempts (idempotency_key);
