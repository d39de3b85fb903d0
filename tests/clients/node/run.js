'use strict';
// node run.js MODULES: runs every test of this directory against one server. MODULES holds node_modules.
// Node reads NODE_EXTRA_CA_CERTS once, when it starts, so the server must be up before the tests' process is.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { startServer } = require('./server');

async function main() {
  const modules = path.resolve(process.argv[2] || path.join(__dirname, '../../../target/clients/node'));
  const { settings, stop } = await startServer();
  const tests = fs
    .readdirSync(__dirname)
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => path.join(__dirname, name));
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...tests], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ...settings,
      NODE_EXTRA_CA_CERTS: settings.JOMAE_CA_FILE,
      NODE_PATH: path.join(modules, 'node_modules'),
    },
  });
  const code = await new Promise((resolve) => child.on('exit', (status) => resolve(status ?? 1)));
  await stop();
  return code;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
