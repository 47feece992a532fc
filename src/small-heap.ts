import { setFlagsFromString } from 'node:v8'

// What is sent passes through short-lived buffers outside of the heap. Node 24's young generation would grow to ten
// times what is in it meanwhile, for nothing: 263 MiB at the peak instead of under 200.
setFlagsFromString('--semi-space-growth-factor=1')
