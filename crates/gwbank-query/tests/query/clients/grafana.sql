-- What Grafana's PostgreSQL data source asks: its checks, the builder's lists, and queries as its macros come out of the backend.
SELECT 1
;;
SELECT current_setting('server_version_num')::int/100 as version
;;
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'
;;
SELECT schema_name AS "name"
    FROM information_schema.schemata
    WHERE schema_name NOT IN ('information_schema',
                              'pg_catalog',
                              'pg_toast',
                              '_timescaledb_cache',
                              '_timescaledb_catalog',
                              '_timescaledb_internal',
                              '_timescaledb_config',
                              'timescaledb_information',
                              'timescaledb_experimental')
    ORDER BY schema_name
;;
SELECT quote_ident(table_name) AS "table"
      FROM information_schema.tables
      WHERE quote_ident(table_schema) = 'public'
      ORDER BY 1
;;
SELECT
    CASE WHEN 
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      THEN quote_ident(table_name)
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
    END AS "table"
    FROM information_schema.tables
    WHERE quote_ident(table_schema) NOT IN ('information_schema',
                             'pg_catalog',
                             '_timescaledb_cache',
                             '_timescaledb_catalog',
                             '_timescaledb_internal',
                             '_timescaledb_config',
                             'timescaledb_information',
                             'timescaledb_experimental')
    ORDER BY CASE WHEN 
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          ) THEN 0 ELSE 1 END, 1
;;
SELECT quote_ident(column_name) AS "column", data_type AS "type"
    FROM information_schema.columns
    WHERE
      CASE WHEN array_length(parse_ident('readings'),1) = 2
        THEN quote_ident(table_schema) = (parse_ident('readings'))[1]
          AND quote_ident(table_name) = (parse_ident('readings'))[2]
        ELSE quote_ident(table_name) = 'readings'
          AND 
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      END
;;
SELECT schema_name FROM information_schema.schemata
		 WHERE schema_name NOT LIKE 'pg_%' AND schema_name != 'information_schema'
		 ORDER BY schema_name
;;
SELECT table_name FROM information_schema.tables
		 WHERE table_schema = 'public' AND table_type IN ('BASE TABLE', 'VIEW')
		 ORDER BY table_name
;;
SELECT column_name, data_type, udt_name, numeric_precision, numeric_scale
		 FROM information_schema.columns
		 WHERE table_schema = 'public' AND table_name = 'readings'
		 ORDER BY ordinal_position
;;
SELECT 'well_id' AS col_name, "well_id"::text AS val FROM (SELECT DISTINCT "well_id" FROM "public"."wells" WHERE "well_id" IS NOT NULL ORDER BY "well_id" LIMIT 100) sub_0 UNION ALL SELECT 'depth' AS col_name, "depth"::text AS val FROM (SELECT DISTINCT "depth" FROM "public"."wells" WHERE "depth" IS NOT NULL ORDER BY "depth" LIMIT 100) sub_1
;;
SELECT time AS "time", well_id AS metric, value FROM readings WHERE time BETWEEN '2026-11-01T00:00:00Z' AND '2026-11-01T01:30:00.5Z' ORDER BY 1
;;
SELECT extract(epoch from time) as "time", value FROM readings WHERE well_id = 'W1' AND time BETWEEN '2026-11-01T00:00:00Z' AND '2026-11-01T01:00:00Z' ORDER BY 1
;;
SELECT time, value FROM readings WHERE time >= '2026-11-01T00:00:00Z' AND time <= '2026-11-01T01:00:00Z' AND well_id IN ('W1','W2') ORDER BY time
;;
SELECT floor(extract(epoch from time)/3600)*3600 AS "time", avg(value) AS "value" FROM readings WHERE well_id = 'W1' AND time BETWEEN '2026-11-01T00:00:00Z' AND '2026-11-02T00:00:00Z' GROUP BY 1 ORDER BY 1
;;
SELECT floor(extract(epoch from time)/300)*300 AS "time", well_id AS metric, min(value) AS low, max(value) AS high FROM readings WHERE time BETWEEN '2026-11-01T00:00:00Z' AND '2026-11-02T00:00:00Z' GROUP BY floor(extract(epoch from time)/300)*300, well_id ORDER BY 1, 2
;;
SELECT time_bucket('3600.000s',time) AS "time", avg(value) AS "value" FROM readings WHERE time BETWEEN '2026-11-01T00:00:00Z' AND '2026-11-02T00:00:00Z' GROUP BY 1 ORDER BY 1
;;
SELECT floor((extract(epoch from time))/60)*60 AS "time", count(*) AS readings FROM readings WHERE extract(epoch from time) >= 1793491200 AND extract(epoch from time) <= 1793577600 GROUP BY 1 ORDER BY 1
;;
SELECT time AS "time", value FROM readings WHERE extract(epoch from time) * 1000000000 >= 1793491200000000000 AND extract(epoch from time) * 1000000000 <= 1793577600000000000 ORDER BY 1
;;
SELECT time AS "time", title AS text, hazard AS tags FROM (SELECT raised_at AS time, headline_en AS title, hazard FROM condition_flags) f WHERE time BETWEEN '2026-11-01T00:00:00Z' AND '2026-11-02T00:00:00Z'
;;
SELECT well_id AS __text, well_id AS __value FROM wells ORDER BY 1
