// What the runner starts when the job is over: the bundle, which knows by this name that it is post.
import './index.js'
