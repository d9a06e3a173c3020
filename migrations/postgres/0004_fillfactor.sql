-- Updated by nearly every commit: with room in the page a new version needs no entry in an index.
ALTER TABLE series SET (fillfactor = 50);
ALTER TABLE nodes SET (fillfactor = 50);
ALTER TABLE archive_totals SET (fillfactor = 50);
