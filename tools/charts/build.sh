#!/usr/bin/env bash
# Makes the report's chart library anew from the versions that package-lock.json pins; needs node and npm.
# A new version: `npm install --save-exact echarts@X` here, then `make charts`, `make test-browser`, and a look at a report.
set -euo pipefail
cd "$(dirname "$0")"
templates=../../riskpipe/workflows/templates

npm ci --ignore-scripts --no-audit --no-fund
version() { node -p "require('./node_modules/$1/package.json').version"; }
npx --no-install esbuild charts.mjs --bundle --minify --format=iife --global-name=echarts --charset=ascii \
    --legal-comments=none --outfile="$templates/charts.min.js" \
    --banner:js="/*! Apache ECharts $(version echarts) (Apache-2.0), zrender $(version zrender) (BSD-3-Clause), tslib $(version tslib) (0BSD); texts: charts.LICENSE */"
{
    for name in echarts zrender tslib; do
        printf '==== %s %s\n\n' "$name" "$(version "$name")"
        cat "node_modules/$name/LICENSE" 2>/dev/null || cat "node_modules/$name/LICENSE.txt"
        printf '\n'
    done
    printf '==== echarts, NOTICE\n\n'
    cat node_modules/echarts/NOTICE
    printf '\n==== d3, of which echarts has parts\n\n'
    cat node_modules/echarts/licenses/LICENSE-d3
} > "$templates/charts.LICENSE"
(cd "$templates" && sha256sum charts.min.js > charts.sha256)
