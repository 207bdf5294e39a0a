// A worker that behaves as the library node-workman-worker does, quirks included, to show that workers written for
// node-workman serve workman unchanged. For a worker of your own, start from worker.js.
//
// The quirks: what could not be sent while disconnected is sent on the next connection, ahead of all else (results
// whose nonce died with the old connection, and an extra GetTask), and again on every later one, as the queue is never
// emptied. An empty message is ignored. Any other message is taken for a task, whatever it is. A task of a name it
// does not know is answered, but not followed by GetTask. The first attempt to come back is made at once.
const WebSocket = require('ws')

const server = `${process.env.WORKMAN_URL || 'ws://localhost:9999'}/worker`
const tasks = {}
const unsent = []
let connected = false
let wait = 0
let socket

function registerTask(name, worker) {
  tasks[name] = worker
}

function send(message) {
  if (connected) socket.send(JSON.stringify(message))
  else unsent.push(message)
}

function connect() {
  socket = new WebSocket(server)
  socket.on('error', (e) => console.log('error', e.toString()))
  socket.on('open', () => {
    console.log('connected')
    connected = true
    for (const message of unsent) send(message)
    for (const name of Object.keys(tasks)) send({ action: 'RegisterTask', name })
    send({ action: 'GetTask' })
  })
  socket.on('message', async (data) => {
    const text = data.toString()
    if (text === '') return
    const { name, options, nonce } = JSON.parse(text)
    console.log('task', name)
    if (tasks[name] === undefined) {
      send({ action: 'SendResult', nonce, result: { error: `Unknown job ${name}` } })
      return
    }
    send({ action: 'SendResult', nonce, result: await tasks[name](options) })
    console.log('done', name)
    send({ action: 'GetTask' })
  })
  socket.on('close', () => {
    connected = false
    setTimeout(connect, wait)
    wait = Math.min(wait === 0 ? 125 : wait * 2, 2000)
  })
}

registerTask('add', async ({ a, b }) => a + b)
registerTask('echo', async (options) => options)
registerTask('sleep', ({ seconds }) => new Promise((done) => setTimeout(done, seconds * 1000, seconds)))
registerTask('nothing', async () => {}) // an undefined result leaves the key out of SendResult
connect()
