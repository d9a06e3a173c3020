// node-postgres: parameters, types, an error, a statement that is cancelled by its timeout.
import pg from 'pg';

const [host, port] = process.argv.slice(2);
const client = new pg.Client({ host, port: Number(port), user: 'gwbank', database: 'gwbank' });
const seen = {};
await client.connect();
const at = new Date('2026-11-01T00:00:00Z');
const found = await client.query('SELECT well_id, time, value FROM readings WHERE well_id = $1 AND time >= $2 ORDER BY time LIMIT 2', ['W1', at]);
seen['parameters'] = found.rows.length === 2 && found.rows[0].time.getTime() === at.getTime() && found.rows[0].value === 0;
const named = { name: 'count', text: 'SELECT count(*) AS n FROM wells WHERE province_code = $1', values: ['30'] };
seen['prepared'] = (await client.query(named)).rows[0].n === (await client.query(named)).rows[0].n;
seen['error'] = await client.query('SELECT * FROM nothing').then(() => 'none', (error) => error.code === '42P01');
await client.query("SET statement_timeout = '300ms'");
seen['timeout'] = await client.query('SELECT count(*) FROM generate_series(1, 100000000000)').then(() => 'none', (error) => error.code === '57014');
await client.end();
console.log(JSON.stringify(seen));
