// Reads [[language, query], …] from standard input and writes for each query the places at which Grafana's own grammar finds an error.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const installed = createRequire(process.argv[2]) // the package.json in the folder into which npm installed the grammars
const parsers = { LogQL: installed('@grafana/lezer-logql').parser, TraceQL: installed('@grafana/lezer-traceql').parser }

function errors(language, query) {
  const found = []
  parsers[language].parse(query).iterate({ enter: ({ type, from, to }) => { if (type.isError) found.push([from, to]) } })
  return found
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(([language, query]) => errors(language, query))))
