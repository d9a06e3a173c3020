-- Statements of people who mean harm or take no care, one a block: what is expected and why, then the statement as it is sent.
-- A block ends at the first empty line. {{1000 x ab}} stands for a thousand times ab, {{u+0000}} for the character of that
-- number, {{1..9 a<n><m>}} for a10 to a98, where <n> counts and <m> is the number before.
--
-- refused    would change something: an error at every door
-- session    the same, but at PostgreSQL's door an affair of the connection alone, and harmless
-- unknown    about something that there is not: an error at every door
-- malformed  refused by its form, before it is planned
-- endless    would run for hours: ends at a limit
-- greedy     would take gigabytes: ends at a limit, or is refused
-- odd        answered or refused, in time and within the limits; nothing changes

-- refused: rows by hand
INSERT INTO readings VALUES (1)

-- refused: rows from a query
INSERT INTO wells SELECT * FROM wells

-- refused: an upsert
INSERT INTO wells (well_id) VALUES ('x') ON CONFLICT (well_id) DO UPDATE SET name = 'x'

-- refused: rows that are given back
INSERT INTO wells (well_id) VALUES ('x') RETURNING *

-- refused: another spelling of an upsert
REPLACE INTO wells VALUES ('x')

-- refused: an EXPLAIN is as good as what it explains
EXPLAIN INSERT INTO wells SELECT * FROM wells

-- refused: and ANALYZE would run it
EXPLAIN ANALYZE INSERT INTO wells SELECT * FROM wells

-- refused: twice explained
EXPLAIN EXPLAIN DROP TABLE readings

-- refused: every row
UPDATE wells SET name = 'x'

-- refused: rows by those of another table
UPDATE wells SET name = g.gateway_id FROM gateways AS g WHERE true

-- refused: every row
DELETE FROM readings

-- refused: rows by those of another table
DELETE FROM readings USING wells WHERE readings.well_id = wells.well_id

-- refused: the quick way
TRUNCATE TABLE readings

-- refused: with all that hangs on it
TRUNCATE readings, wells RESTART IDENTITY CASCADE

-- refused: deletes
MERGE INTO wells USING wells AS w ON false WHEN MATCHED THEN DELETE

-- refused: updates and inserts
MERGE INTO wells USING gateways AS g ON true WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT VALUES ('x')

-- refused: a WITH that writes
WITH w AS (INSERT INTO wells VALUES (1) RETURNING *) SELECT * FROM w

-- refused: a WITH that deletes
WITH w AS (DELETE FROM readings RETURNING *) SELECT count(*) FROM w

-- refused: a WITH that updates, deep inside
SELECT * FROM (WITH w AS (UPDATE wells SET name = 'x' RETURNING *) SELECT * FROM w) AS v

-- refused: a table
CREATE TABLE t (a INT)

-- refused: a table of a query
CREATE TABLE t AS SELECT * FROM readings

-- refused: and ANALYZE would make it
EXPLAIN ANALYZE CREATE TABLE t AS SELECT * FROM readings

-- refused: a table for a while
CREATE TEMPORARY TABLE t (a INT)

-- refused: the same in other words
SELECT * INTO t FROM wells

-- refused: in a branch of a union
SELECT well_id FROM wells UNION ALL SELECT well_id INTO t FROM wells

-- refused: a view of a file
CREATE VIEW v AS SELECT * FROM read_csv('/etc/passwd')

-- refused: a view that writes
CREATE OR REPLACE VIEW v AS DELETE FROM readings

-- refused: in the place of a table
CREATE OR REPLACE VIEW readings AS SELECT 1

-- refused: explained
EXPLAIN CREATE VIEW v AS SELECT 1

-- refused: a view that takes room
CREATE MATERIALIZED VIEW v AS SELECT * FROM readings

-- refused: a schema
CREATE SCHEMA s

-- refused: a database
CREATE DATABASE d

-- refused: an index
CREATE UNIQUE INDEX i ON wells (well_id)

-- refused: a sequence
CREATE SEQUENCE s

-- refused: a type
CREATE TYPE t AS ENUM ('a', 'b')

-- refused: a function in SQL
CREATE FUNCTION f(INT) RETURNS INT RETURN $1

-- refused: a function of a library
CREATE OR REPLACE FUNCTION system(cstring) RETURNS int AS '/lib/x86_64-linux-gnu/libc.so.6', 'system' LANGUAGE C

-- refused: a procedure
CREATE PROCEDURE p() AS BEGIN SELECT 1; END

-- refused: a trigger
CREATE TRIGGER t BEFORE INSERT ON wells FOR EACH ROW EXECUTE FUNCTION f()

-- refused: code of others
CREATE EXTENSION dblink

-- refused: somebody with all rights
CREATE ROLE mallory SUPERUSER LOGIN PASSWORD 'x'

-- refused: the same in other words
CREATE USER mallory SUPERUSER

-- refused: another server
CREATE SERVER s FOREIGN DATA WRAPPER file_fdw

-- refused: a file as a table
CREATE FOREIGN TABLE t (line text) SERVER s OPTIONS (filename '/etc/passwd')

-- refused: a file as a table
CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'

-- refused: the network as a table
CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'http://localhost/x.parquet'

-- refused: somebody's bucket as a table
CREATE EXTERNAL TABLE t STORED AS PARQUET OPTIONS ('aws.access_key_id' 'x') LOCATION 's3://bucket/x.parquet'

-- refused: a pipe as a table that never ends
CREATE UNBOUNDED EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION '/dev/zero'

-- refused: an archive beside ours
CREATE EXTERNAL TABLE t STORED AS DELTATABLE LOCATION '/tmp/t'

-- refused: a macro
CREATE MACRO f(a) AS a + 1

-- refused: the readings
DROP TABLE readings

-- refused: only where it is
DROP TABLE IF EXISTS readings CASCADE

-- refused: a view
DROP VIEW readings_daily

-- refused: everything
DROP SCHEMA public CASCADE

-- refused: everything
DROP DATABASE gwbank

-- refused: a function
DROP FUNCTION time_bucket

-- refused: an index
DROP INDEX i

-- refused: somebody
DROP ROLE gwbank

-- refused: a column more
ALTER TABLE readings ADD COLUMN x INT

-- refused: another name
ALTER TABLE readings RENAME TO gone

-- refused: settings for good
ALTER SYSTEM SET shared_preload_libraries = 'x'

-- refused: a password
ALTER ROLE gwbank PASSWORD 'x'

-- refused: settings of the database
ALTER DATABASE gwbank SET statement_timeout = 0

-- refused: rights
GRANT ALL ON readings TO PUBLIC

-- refused: rights
REVOKE ALL ON readings FROM PUBLIC

-- refused: remarks are kept, too
COMMENT ON TABLE readings IS 'x'

-- refused: upkeep is not for clients
VACUUM

-- refused: upkeep that locks
VACUUM FULL readings

-- refused: upkeep
ANALYZE readings

-- refused: upkeep
REINDEX TABLE readings

-- refused: upkeep
CLUSTER readings

-- refused: upkeep
CHECKPOINT

-- refused: upkeep
OPTIMIZE TABLE readings

-- refused: upkeep
REFRESH MATERIALIZED VIEW readings_daily

-- refused: locks
LOCK TABLE readings IN ACCESS EXCLUSIVE MODE

-- refused: code
DO $$ BEGIN PERFORM pg_sleep(1000); END $$

-- refused: code
CALL f()

-- refused: a library
LOAD '/tmp/x.so'

-- refused: tells others
NOTIFY channel, 'x'

-- refused: half a transaction for good
PREPARE TRANSACTION 'x'

-- refused: a file gets the readings
COPY readings TO '/tmp/readings.csv'

-- refused: a file gets a query
COPY (SELECT 1) TO '/tmp/x.parquet' STORED AS PARQUET

-- refused: explained
EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'

-- refused: a program gets the readings
COPY readings TO PROGRAM 'cat > /tmp/readings'

-- refused: a file is read
COPY readings FROM '/etc/passwd'

-- refused: a program is run
COPY wells FROM PROGRAM 'id'

-- refused: rows by the connection
COPY wells FROM STDIN

-- refused: a file in the words of MySQL
SELECT well_id FROM wells INTO OUTFILE '/tmp/x'

-- refused: a file in the words of MySQL
LOAD DATA INFILE '/etc/passwd' INTO TABLE wells

-- refused: a bucket gets a query
UNLOAD (SELECT 1) TO 's3://bucket/x'

-- refused: everything into a directory
EXPORT DATABASE '/tmp/x'

-- refused: a database beside ours
ATTACH DATABASE '/tmp/x.db' AS x

-- refused: ours is let go
DETACH DATABASE gwbank

-- refused: code from the network
INSTALL httpfs

-- refused: settings in the words of SQLite
PRAGMA journal_mode = OFF

-- refused: another catalog
USE information_schema

-- refused: a query of somebody else
KILL QUERY 1

-- refused: a setting of the engine
SET datafusion.execution.batch_size = 1

-- refused: the bound of memory
SET datafusion.runtime.memory_limit = '1000G'

-- refused: where temporary files go
SET datafusion.runtime.temp_directory = '/'

-- refused: the bound of temporary files
SET datafusion.runtime.max_temp_directory_size = '1000G'

-- refused: a directory whose files become tables
SET datafusion.catalog.location = '/etc'

-- refused: threads without end
SET datafusion.execution.target_partitions = 1000000

-- refused: the guard of the query
SET gwbank_guard.deadline = 0

-- refused: a setting of the engine
RESET datafusion.execution.batch_size

-- refused: tells where files lie
SHOW datafusion.runtime.temp_directory

-- refused: somebody else
SET SESSION AUTHORIZATION 'postgres'

-- refused: somebody else
SET ROLE postgres

-- session: a setting of the connection
SET TIME ZONE 'UTC'

-- session: a setting of the connection
SET statement_timeout = 0

-- session: settings of the connection
RESET ALL

-- session: settings of the connection
SHOW ALL

-- session: everything of the connection
DISCARD ALL

-- session: a transaction that changes nothing
BEGIN

-- session: its end
COMMIT

-- session: its end
ROLLBACK

-- session: what is said of it
START TRANSACTION READ WRITE

-- session: what is said of it
SET TRANSACTION READ WRITE

-- session: a statement of the connection
PREPARE p AS SELECT 1

-- session: all of them go
DEALLOCATE ALL

-- session: nobody ever notifies
LISTEN channel

-- session: rows to the connection
COPY (SELECT 1) TO STDOUT

-- session: PostgreSQL's simple protocol takes several statements; each is checked
SELECT 1; SELECT 2

-- refused: the second is none that reads
SELECT 1; DROP TABLE readings

-- refused: stacked behind an empty one
; ; DELETE FROM readings

-- refused: stacked behind a comment that closes a text
SELECT 'x' /* ' */ ; UPDATE wells SET name = 'x' -- '

-- refused: what looks like a comment is none
SELECT '--' ; DELETE FROM readings

-- refused: comments in the midst of words' gaps
DROP/**/TABLE/* readings */readings

-- refused: a comment in a comment
/* outer /* inner */ still outer */ DROP TABLE readings

-- refused: capitals and gaps of every kind
	dRoP{{u+000A}}{{u+000D}}tAbLe	readings

-- refused: hidden behind a line that ends only for some
SELECT 1 --{{u+000D}}{{u+000A}}; DELETE FROM readings

-- unknown: a byte that ends texts in C
SELECT * FROM wells{{u+0000}}; DROP TABLE readings

-- unknown: letters that look like others
SELECT * FROM rеadings

-- unknown: wide letters
ＳＥＬＥＣＴ * FROM wells

-- unknown: an invisible letter
SELECT * FROM read{{u+200B}}ings

-- unknown: the order of letters turned around
SELECT * FROM {{u+202E}}sgnidaer

-- unknown: a byte order mark in the midst
SELECT {{u+FEFF}}1 FROM nothing

-- unknown: a file
SELECT * FROM '/etc/passwd'

-- unknown: a file as a name
SELECT * FROM "/etc/passwd"

-- unknown: a file of a known ending
SELECT * FROM '/etc/passwd.csv'

-- unknown: a file beside ours
SELECT * FROM '../../gwbank.toml'

-- unknown: what the process was started with
SELECT * FROM "/proc/self/environ"

-- unknown: a file as a URL
SELECT * FROM 'file:///etc/passwd'

-- unknown: the network
SELECT * FROM 'http://localhost/x.csv'

-- unknown: what a cloud tells its machines
SELECT * FROM 'http://169.254.169.254/latest/meta-data/'

-- unknown: a bucket
SELECT * FROM 's3://bucket/x.parquet'

-- unknown: many files
SELECT * FROM '/var/log/*.json'

-- unknown: a file by a function
SELECT * FROM read_csv('/etc/passwd')

-- unknown: a file by a function
SELECT * FROM read_csv_auto('/etc/passwd')

-- unknown: a file by a function
SELECT * FROM read_parquet('/tmp/x.parquet')

-- unknown: a file by a function
SELECT * FROM read_json('/etc/x.json')

-- unknown: a file by a function
SELECT * FROM read_text('/etc/passwd')

-- unknown: names of files
SELECT * FROM glob('/etc/*')

-- unknown: a file by a function
SELECT * FROM parquet_scan('/tmp/x.parquet')

-- unknown: what is in a file
SELECT * FROM parquet_metadata('/tmp/x.parquet')

-- unknown: an archive of others
SELECT * FROM delta_scan('/tmp/x')

-- unknown: a database of others
SELECT * FROM sqlite_scan('/tmp/x.db', 't')

-- unknown: a database of others
SELECT * FROM dblink('host=localhost', 'SELECT 1') AS t(a int)

-- unknown: the network by a function
SELECT * FROM url('http://localhost/', CSV)

-- unknown: a file by a function
SELECT pg_read_file('/etc/passwd')

-- unknown: a file by a function
SELECT pg_read_binary_file('/etc/passwd')

-- unknown: names of files
SELECT pg_ls_dir('/')

-- unknown: a file by a function
SELECT lo_import('/etc/passwd')

-- unknown: a file is written
SELECT lo_export(1, '/tmp/x')

-- unknown: a file in the words of MySQL
SELECT load_file('/etc/passwd')

-- unknown: a library
SELECT load_extension('x')

-- unknown: a program
SELECT xp_cmdshell('id')

-- unknown: a program
SELECT system('id')

-- unknown: what the process was started with
SELECT getenv('HOME')

-- unknown: a statement in a text
SELECT query_to_xml('DELETE FROM readings', true, true, '')

-- unknown: waits
SELECT pg_sleep(3600)

-- unknown: queries of others
SELECT pg_terminate_backend(1)

-- unknown: settings for good
SELECT pg_reload_conf()

-- refused: a setting by a function
SELECT set_config('datafusion.execution.batch_size', '1', false)

-- unknown: a lock by a function
SELECT pg_advisory_lock(1)

-- unknown: a sequence
SELECT nextval('s')

-- unknown: passwords
SELECT * FROM pg_shadow

-- unknown: passwords
SELECT * FROM pg_authid

-- unknown: another catalog
SELECT * FROM ignored.readings

-- refused: a catalog is written
INSERT INTO pg_catalog.pg_class SELECT * FROM pg_catalog.pg_class

-- refused: a catalog is written
DELETE FROM information_schema.tables

-- unknown: settings of the engine as a table
SELECT * FROM information_schema.df_settings

-- malformed: parentheses without end
SELECT {{10000 x (}}1{{10000 x )}}

-- malformed: a chain as deep as it is long
SELECT 1 WHERE true{{5000 x  OR 1=1}}

-- malformed: a chain of a column
SELECT 1 FROM wells WHERE true{{9000 x  OR well_id = 'W-1'}}

-- malformed: signs without end
SELECT {{10000 x - }}1

-- malformed: negations without end
SELECT {{10000 x NOT }}true

-- malformed: a long chain of texts
SELECT 'a'{{5000 x ||'a'}}

-- malformed: queries in queries
{{4000 x SELECT * FROM (}}SELECT 1{{4000 x )}}

-- malformed: calls in calls
SELECT {{8000 x abs(}}1{{8000 x )}}

-- malformed: lists in lists
SELECT {{9000 x [}}1{{9000 x ]}}

-- malformed: CASE in CASE
SELECT {{3000 x CASE WHEN true THEN }}1{{3000 x  END}}

-- malformed: a list of values longer than a statement may be
SELECT 1 IN ({{100000 x 1,}}1)

-- malformed: one long text
SELECT '{{1048576 x x}}'

-- malformed: one long number
SELECT {{100000 x 9}}

-- malformed: one long name
SELECT {{100000 x x}}

-- malformed: unions without end
SELECT 1{{3000 x  UNION ALL SELECT 1}}

-- malformed: a comment without end
SELECT 1 /* {{1000 x /*}}

-- malformed: a text without end
SELECT '{{1000 x x}}

-- malformed: a join of a thousand
SELECT 1 FROM wells{{2000 x  JOIN wells USING (well_id)}}

-- odd: nothing but semicolons
{{60000 x ;}}

-- endless: ten tables, every combination, none fits
WITH t AS (SELECT * FROM generate_series(1, 100) AS g(x)) SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g, t h, t i, t j WHERE a.x + b.x + c.x + d.x + e.x + f.x + g.x + h.x + i.x + j.x < 0

-- endless: a recursion that never stops
WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t

-- endless: a recursion that never stops and never answers
WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x FROM t) SELECT x FROM t WHERE x < 0

-- endless: every pair of a billion and a billion
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) CROSS JOIN generate_series(1, 1000000000) AS b(y)

-- endless: sums of every pair
SELECT sum(a.x * b.y) FROM generate_series(1, 1000000) AS a(x) CROSS JOIN generate_series(1, 1000000) AS b(y)

-- endless: a join without an equation, and without a pair
SELECT count(*) FROM generate_series(1, 100000) AS a(x) JOIN generate_series(1, 1000000000) AS b(y) ON a.x > b.y + 5000000000

-- endless: a join whose equation holds for half of the pairs
SELECT count(*) FROM generate_series(1, 100000) AS a(x) JOIN generate_series(1, 100000) AS b(y) ON a.x % 2 = b.y % 2 AND a.x + b.y < 0

-- endless: a trillion rows, none fits
SELECT count(*) FROM generate_series(1, 1000000000000) AS a(x) WHERE x % 7 = 8

-- endless: a pattern with as many states as a program may have
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE regexp_like(repeat('ab', 400 + x % 2), '((a|b)*a(a|b){12}){20}$')

-- endless: a pattern of its own for each row
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE repeat('ab', 400 + x % 2) ~ ('((a|b)*a(a|b){12})' || (x % 9) || '$')

-- endless: the same by the words of the standard
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE repeat('ab', 400 + x % 2) SIMILAR TO '%(a|b)*a(a|b){10}%'

-- endless: LIKE with a gap between every two letters
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE repeat('ab', 2000 + x % 2) LIKE '{{200 x %a}}%c'

-- endless: the same whatever the capitals
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE repeat('ab', 2000 + x % 2) ILIKE '{{200 x %A}}%c'

-- endless: distances of long texts
SELECT max(levenshtein(repeat('ab', 2000 + x % 2), repeat('ba', 2000 + x % 3))) FROM generate_series(1, 1000000) AS a(x)

-- endless: lists that become rows, for ever
SELECT max(x) FROM (SELECT unnest(range(1, 1000 + a.x % 2)) AS x FROM generate_series(1, 1000000000) AS a(x))

-- endless: a text looked for in a text, which nearly fits everywhere
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE strpos(repeat('a', 4000 + x % 2), repeat('a', 2000) || 'b') > 0

-- endless: letters for letters
SELECT count(*) FROM generate_series(1, 1000000000) AS a(x) WHERE translate(repeat('ab', 1000 + x % 2), 'ab', 'ba') = ''

-- endless: a list in a list
SELECT count(*) FROM generate_series(1, 1000000) AS a(x) WHERE array_has_all(range(1, 500 + x % 2), range(20001, 20500))

-- endless: what two lists have in common
SELECT count(*) FROM generate_series(1, 1000000) AS a(x) WHERE array_has_any(range(1, 500 + x % 2), range(20001, 20500))

-- endless: lists without what is there twice
SELECT sum(array_length(array_distinct(range(1, 500 + x % 2)))) FROM generate_series(1, 1000000000) AS a(x)

-- endless: lists in order
SELECT sum(array_sort(range(1, 500 + x % 2), 'DESC')[1]) FROM generate_series(1, 1000000000) AS a(x)

-- odd: a query for each row
SELECT count(*) FROM generate_series(1, 100000) AS a(x) WHERE x > (SELECT count(*) FROM generate_series(1, 100000) AS b(y) WHERE b.y % 1000 <> a.x % 1000 AND b.y + a.x < 0)

-- endless: NOT IN with every row of the other side
SELECT count(*) FROM generate_series(1, 1000000) AS a(x) WHERE EXISTS (SELECT 1 FROM generate_series(1, 1000000) AS b(y) WHERE a.x * b.y < 0)

-- endless: a window as wide as the table, for each row anew
SELECT count(m) FROM (SELECT min(x * 7 % 1000) OVER (ORDER BY x ROWS BETWEEN 50000 PRECEDING AND CURRENT ROW) AS m FROM generate_series(1, 100000000) AS a(x))

-- endless: instants a microsecond apart
SELECT count(*) FROM generate_series('2000-01-01'::timestamp, '2030-01-01'::timestamp, '1 microsecond'::interval) AS a(t) WHERE t < '1999-01-01'

-- endless: readings of themselves, thrice
SELECT count(*) FROM readings a, readings b, readings c, readings d, readings e, readings f WHERE a.value + b.value + c.value + d.value + e.value + f.value < -1000000

-- malformed: tables that name the one before twice are 2 to the power of 30 tables
WITH c0 AS (SELECT 1 AS x){{1..30 , c<n> AS (SELECT a.x FROM c<m> AS a CROSS JOIN c<m> AS b)}} SELECT count(*) FROM c30

-- endless: every reading beside a trillion, cast back and forth
SELECT count(*) FROM generate_series(1, 1000000000000) AS a(x) WHERE (x::text)::bigint + 1 < 0

-- endless: a time written and read a trillion times
SELECT count(*) FROM generate_series(1, 1000000000000) AS a(x) WHERE to_char(to_timestamp(x % 100000), '{{20 x %Y-%m-%d }}') = ''

-- greedy: lists held against each other, element by element
SELECT count(*) FROM wells WHERE array_has_all(range(1, 1000000 + length(well_id)), range(2000001, 3000000))

-- greedy: a text of a billion
SELECT repeat('x', 1000000000)

-- greedy: and only its length is wanted
SELECT length(repeat('x', 1000000000))

-- greedy: as an argument
SELECT * FROM generate_series(1, length(repeat('x', 1000000000)))

-- greedy: of a column
SELECT repeat(well_id, 1000000000) FROM wells

-- greedy: many long texts
SELECT max(length(repeat('x', 100000 + x))) FROM generate_series(1, 100000) AS a(x)

-- greedy: filled up
SELECT lpad('x', 1000000000)

-- greedy: filled up, of a column
SELECT rpad(well_id, 1000000000, 'ab') FROM wells

-- greedy: every letter becomes many
SELECT replace(repeat('x', 100000), 'x', repeat('y', 100000))

-- greedy: between all letters
SELECT regexp_replace(repeat('x', 100000), '', repeat('y', 100000), 'g')

-- greedy: a list of a billion
SELECT range(1, 1000000000)

-- greedy: by its other name
SELECT generate_series(1, 1000000000)

-- greedy: the same element
SELECT array_repeat('x', 1000000000)

-- greedy: a list of lists
SELECT array_repeat(array_repeat(1, 100000), 100000)

-- greedy: a short list made long
SELECT array_resize([1], 1000000000, 0)

-- greedy: long gaps between many
SELECT array_to_string(range(1, 1000000), repeat('x', 10000))

-- greedy: a long text in many pieces
SELECT string_to_array(repeat('x,', 30000000), ',')

-- greedy: all rows in one list
SELECT array_agg(x) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: all rows in three lists
SELECT x % 3, array_agg(x) FROM generate_series(1, 1000000000) AS a(x) GROUP BY x % 3

-- greedy: all rows in one text
SELECT string_agg(repeat('x', 1000 + x % 2), ',') FROM generate_series(1, 1000000000) AS a(x)

-- greedy: every value once
SELECT count(DISTINCT x) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: a group for each row
SELECT x, count(*) FROM generate_series(1, 1000000000) AS a(x) GROUP BY x

-- greedy: groups of groups of groups
SELECT x % 1000, x % 1001, x % 1003, count(*) FROM generate_series(1, 1000000000) AS a(x) GROUP BY CUBE (x % 1000, x % 1001, x % 1003)

-- greedy: every value is kept
SELECT median(x) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: every value is kept
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: a window over everything
SELECT sum(x) OVER () FROM generate_series(1, 1000000000) AS a(x)

-- greedy: back by a billion
SELECT lag(x, 1000000000) OVER (ORDER BY x) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: forward by a billion
SELECT max(x) OVER (ORDER BY x ROWS BETWEEN CURRENT ROW AND 1000000000 FOLLOWING) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: in the other order
SELECT row_number() OVER (ORDER BY x DESC) FROM generate_series(1, 1000000000) AS a(x)

-- greedy: a list for each row, of all rows before
SELECT array_agg(x) OVER (ORDER BY x) FROM generate_series(1, 100000) AS a(x)

-- greedy: long texts, each a million times
SELECT a.s FROM (SELECT repeat('x', 1000000 + length(well_id)) AS s FROM wells) AS a CROSS JOIN generate_series(1, 1000000)

-- greedy: a long constant beside each row
SELECT repeat('x', 1000000), x FROM generate_series(1, 1000000) AS a(x)

-- greedy: a long constant beside each element
SELECT unnest(range(1, 1000000)), repeat('x', 1000000)

-- greedy: lists that become rows
SELECT unnest(range(1, 1000000 + x % 2)), repeat('x', 1000) FROM generate_series(1, 10000) AS a(x)

-- greedy: lists of lists that become rows
SELECT unnest(unnest(array_repeat(range(1, 100000), 10000)))

-- greedy: texts doubled and doubled again
WITH a AS (SELECT repeat('x', 4000 + x % 2) AS s FROM generate_series(1, 100000) AS a(x)), b AS (SELECT s || s AS s FROM a), c AS (SELECT s || s AS s FROM b), d AS (SELECT s || s || s || s AS s FROM c) SELECT s FROM d

-- greedy: a text that doubles for ever
WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t

-- greedy: rows that triple for ever
WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t CROSS JOIN (VALUES (1), (2), (3))) SELECT count(*) FROM t

-- greedy: a list that grows for ever
WITH RECURSIVE t AS (SELECT [1, 2] AS l UNION ALL SELECT array_concat(l, l) FROM t) SELECT max(array_length(l)) FROM t

-- greedy: everything in order
SELECT * FROM generate_series(1, 1000000000) AS a(x) ORDER BY x DESC

-- greedy: everything in an order that must be computed
SELECT * FROM generate_series(1, 1000000000) AS a(x) ORDER BY reverse(x::text)

-- greedy: two long texts in a list
SELECT [repeat('x', 30000), repeat('y', 30000 + x)] FROM generate_series(1, 100000) AS a(x)

-- greedy: two long texts side by side
SELECT concat(repeat('x', 8000 + x % 2), repeat('y', 8000 + x % 3)) FROM generate_series(1, 100000) AS a(x)

-- greedy: a struct of long texts
SELECT named_struct('a', repeat('x', 100000 + x), 'b', repeat('y', 100000 + x)) FROM generate_series(1, 100000) AS a(x)

-- greedy: bytes as letters
SELECT encode(repeat('x', 500000000)::bytea, 'hex')

-- greedy: a join keeps one side
SELECT a.x FROM generate_series(1, 1000000000) AS a(x) JOIN generate_series(1, 1000000000) AS b(x) ON a.x = b.x

-- greedy: an outer join keeps more
SELECT count(a.x), count(b.x) FROM generate_series(1, 1000000000) AS a(x) FULL JOIN generate_series(1, 1000000000) AS b(x) ON a.x = -b.x

-- greedy: what two have in common
SELECT x FROM generate_series(1, 1000000000) AS a(x) INTERSECT SELECT x FROM generate_series(1, 1000000000) AS b(x)

-- greedy: more rows than anybody may have
SELECT x FROM generate_series(1, 1000000000) AS a(x)

-- greedy: more rows than anybody may have, of few that there are
SELECT a.time, b.value FROM readings a, readings b, readings c, readings d

-- greedy: a format a thousand times as long as what it shows
SELECT to_char(time, '{{2000 x %A %B }}') FROM readings CROSS JOIN generate_series(1, 1000000)

-- odd: locks in the words of PostgreSQL
SELECT * FROM wells FOR UPDATE

-- odd: locks of other kinds
SELECT * FROM wells FOR SHARE NOWAIT

-- odd: a sum beyond its type
SELECT sum(x) FROM (VALUES (9223372036854775807), (9223372036854775807)) AS t(x)

-- odd: a product beyond its type
SELECT 9223372036854775807 * 2

-- odd: the least number without its sign
SELECT abs(-9223372036854775808), -(-9223372036854775808)

-- odd: the least number divided by minus one
SELECT (-9223372036854775808) / -1, (-9223372036854775808) % -1

-- odd: nothing to divide by
SELECT 1 / 0, 1.0 / 0, 1 % 0

-- odd: decimals beyond 38 digits
SELECT 99999999999999999999999999999999999999::decimal(38, 0) * 99999999999999999999999999999999999999::decimal(38, 0)

-- odd: a decimal of more digits than there are
SELECT 1::decimal(1000, 999)

-- odd: powers beyond a number
SELECT power(10, 400), exp(10000), factorial(100), 2 << 100

-- odd: a number that is none
SELECT 'NaN'::float8 = 'NaN'::float8, 'Infinity'::float8 - 'Infinity'::float8, sqrt(-1.0), ln(-1.0)

-- odd: a text that is no number
SELECT 'x'::int

-- odd: casts of everything to everything
SELECT CAST(CAST(CAST(time AS text) AS timestamp) AS date), CAST(value AS text), CAST(quality AS boolean) FROM readings LIMIT 3

-- odd: times beyond the calendar
SELECT timestamp '9999-12-31' + interval '10000 years', date '0001-01-01' - interval '10000 years'

-- odd: intervals beyond themselves
SELECT interval '2147483647 months' * 1000, interval '999999999999 days'

-- odd: a bucket of no width
SELECT time_bucket('0 seconds', time) FROM readings LIMIT 1

-- odd: a bucket of a width below zero
SELECT time_bucket('-1 day', time), date_bin(interval '0 seconds', time) FROM readings LIMIT 1

-- odd: formats that are none
SELECT to_char(time, '%Q%%%'), to_char(time, '{{100 x %}}') FROM readings LIMIT 1

-- odd: a format of times that reads nothing
SELECT to_timestamp('x', '%Q'), to_timestamp('2026', '{{100 x %Y}}')

-- odd: a series whose step is nothing
SELECT count(*) FROM generate_series(1, 10, 0)

-- odd: a series at the end of numbers
SELECT count(*) FROM generate_series(9223372036854775800, 9223372036854775807)

-- odd: a repetition below nothing
SELECT repeat('x', -1), lpad('x', -5), substr('x', -9223372036854775808, 9223372036854775807)

-- odd: a place in a list that there is not
SELECT [1, 2][9223372036854775807], [1, 2][-9223372036854775808], array_slice([1], 5, -5)

-- odd: a limit below nothing
SELECT 1 LIMIT -1

-- odd: a limit beyond everything
SELECT 1 LIMIT 9223372036854775807 OFFSET 9223372036854775807

-- odd: a pattern that is none
SELECT 'x' ~ '(', regexp_replace('x', '[', 'y')

-- odd: a pattern that asks for a billion
SELECT 'x' ~ 'x{1000000000}'

-- odd: a pattern of many alternatives
SELECT count(*) FROM wells WHERE well_id ~ '(a{{3000 x |ab}})'

-- odd: a pattern that is slow elsewhere
SELECT repeat('a', 5000) ~ '^(a+)+$', (repeat('a', 5000) || 'b') ~ '^(a|a)*$'

-- odd: a long list of values
SELECT count(*) FROM wells WHERE well_id IN ('a'{{5000 x ,'b'}})

-- odd: a long list of rows
SELECT count(*) FROM (VALUES (1){{5000 x ,(1)}}) AS t(x)

-- odd: many columns
SELECT 1{{1500 x ,1}}

-- odd: many columns, in order by each
SELECT 1 AS a ORDER BY 1{{1000 x ,1}}

-- odd: many conditions
SELECT count(*) FROM wells WHERE true{{700 x  AND well_id <> 'x'}}

-- odd: many tables of a WITH, each used once
WITH a0 AS (SELECT 1 AS x){{1..60 , a<n> AS (SELECT x + 1 AS x FROM a<m>)}} SELECT * FROM a60

-- odd: grouping sets of grouping sets
SELECT count(*) FROM wells GROUP BY CUBE (well_id, province_code, bank_type, name, depth, status, aquifer, sampling)

-- malformed: sets without end of grouping sets
SELECT count(*) FROM wells GROUP BY CUBE (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25)

-- odd: a name with everything in it
SELECT 1 AS "{{u+0022}}{{u+0022}};DROP TABLE readings;--{{u+202E}}"

-- odd: a text with everything in it
SELECT 'บ่อ {{u+0001}}{{u+007F}}{{u+FFFD}}{{u+1F4A7}}{{u+E0041}}' AS x

-- odd: a nul in a text
SELECT length('a{{u+0000}}b')

-- odd: a byte that is none, escaped
SELECT E'\xff\xfe', U&'\D800'

-- odd: dollars around a statement
SELECT $$DROP TABLE readings$$, $a$ $b$ $a$

-- odd: parameters without values
SELECT $1, $2, $65536

-- odd: a parameter of no number
SELECT $0

-- odd: the same table under every name
SELECT * FROM wells a NATURAL JOIN wells b NATURAL JOIN wells c NATURAL JOIN wells d

-- odd: itself
WITH RECURSIVE t AS (SELECT * FROM t) SELECT * FROM t

-- odd: settings as a function
SELECT current_setting('data_directory')

-- odd: what others do
SELECT * FROM pg_stat_activity

-- odd: catalogs of catalogs
SELECT count(*) FROM pg_class a, pg_attribute b, pg_type c, pg_attribute d WHERE a.oid = b.attrelid

-- odd: every reading of every reading, explained and run
EXPLAIN ANALYZE SELECT count(*) FROM readings a JOIN readings b ON a.value = b.value

-- odd: a plan of everything
EXPLAIN VERBOSE SELECT * FROM readings a JOIN readings b USING (well_id) JOIN readings c USING (well_id) ORDER BY a.time
