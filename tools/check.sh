#!/bin/sh
# Types, lint, format, module boundaries, sizes, and the Rust half's own checks. Everything here is quick; `npm test` runs the tests.
set -eu
cd "$(dirname "$0")/.."
[ -x node_modules/.bin/tsc ] || npm ci --no-audit --no-fund --silent
PATH="$PWD/node_modules/.bin:$PATH"
echo 'types';      tsc -p .
echo 'lint';       oxlint --quiet src test bench tools
echo 'format';     prettier --check --log-level warn 'src/**/*.ts' 'test/**/*.ts' 'bench/**/*.ts' 'tools/**/*.{ts,json}'
echo 'boundaries'; node tools/check-boundaries.ts
echo 'generated files in step'; node tools/task-definition/table.ts --check
if command -v cargo >/dev/null && cargo fmt --version >/dev/null 2>&1; then
  echo 'rust format'; cargo fmt --manifest-path supervisor/Cargo.toml --check
fi
if command -v cargo >/dev/null && cargo clippy --version >/dev/null 2>&1; then
  # What clippy calls an error fails; its warnings differ from version to version and are only shown.
  echo 'rust lint'; (cd supervisor && CARGO_BUILD_TARGET=$(rustc -vV | sed -n 's/^host: //p') cargo clippy --locked --all-targets --quiet)
fi
echo 'check: all is well'
