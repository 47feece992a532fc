#!/usr/bin/env node
import './small-heap.js'
import './esm-dirname.js'
import { main } from './cli/main.js'

process.exitCode = await main(process.argv.slice(2))
