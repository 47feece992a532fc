import fc from 'fast-check'

// The same cases each time, so that a change is what makes a test fail; PROPERTY_SEED plays others.
fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? 1) })
