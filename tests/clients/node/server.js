'use strict';
// Starts and stops the built server in a directory of its own.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const REPOSITORY = path.resolve(__dirname, '../../..');
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 30_000;

/** Starts a server on a free loopback port; returns { settings, stop } once /readyz answers 200. */
async function startServer() {
  const binary = process.env.JOMAE_BIN || path.join(REPOSITORY, 'target/debug/jomae');
  if (!fs.existsSync(binary)) throw new Error(`${binary} is missing: run \`cargo build\`, or set JOMAE_BIN`);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'jomae-test-'));
  const data = path.join(directory, 'data');
  const log = path.join(directory, 'server.log');
  const output = fs.openSync(log, 'a');
  const child = spawn(
    binary,
    ['serve', '--data-dir', data, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'],
    { stdio: ['ignore', output, output] },
  );
  fs.closeSync(output);
  const ended = new Promise((resolve) => child.on('exit', (code) => resolve(code ?? -1)));
  const stop = async () => {
    child.kill('SIGTERM');
    const code = await Promise.race([ended, sleep(STOP_MS_MAX, 'late', { ref: false })]);
    if (code === 'late') child.kill('SIGKILL');
    const text = fs.readFileSync(log, 'utf8');
    fs.rmSync(directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server did not end well after SIGTERM (${code}):\n${text.slice(-8000)}`);
  };

  const giveUpAt = Date.now() + READY_MS_MAX;
  while (Date.now() < giveUpAt && child.exitCode === null) {
    const settings = readEnv(path.join(data, 'env'));
    if (settings.JOMAE_ADMIN && (await isReady(settings.JOMAE_ADMIN))) return { settings, stop };
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not become ready:\n${fs.readFileSync(log, 'utf8').slice(-8000)}`);
}

/** Reads the `export NAME=value` lines that an operator would source. */
function readEnv(file) {
  if (!fs.existsSync(file)) return {};
  const lines = fs.readFileSync(file, 'utf8').matchAll(/^export ([A-Za-z0-9_]+)=(['"]?)(.*)\2$/gm);
  return Object.fromEntries(Array.from(lines, ([, name, , value]) => [name, value]));
}

function isReady(admin) {
  return new Promise((resolve) => {
    const request = http.get(`${admin}/readyz`, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

module.exports = { startServer };
