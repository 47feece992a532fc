// ssh2 runs an Emscripten module that reads the CommonJS global __dirname, which an ESM bundle does not have.
Object.assign(globalThis, { __dirname: import.meta.dirname })
export {}
