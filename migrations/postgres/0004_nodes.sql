-- Updated by nearly every commit: with room in the page a new version needs no entry in an index.
ALTER TABLE series SET (fillfactor = 50);
ALTER TABLE nodes SET (fillfactor = 50);
ALTER TABLE archive_totals SET (fillfactor = 50);

-- Which data directory a node's number belongs to: two with one number would each hide what the other has not archived yet.
ALTER TABLE nodes ADD COLUMN owner text, ADD COLUMN written_at timestamptz NOT NULL DEFAULT now();
