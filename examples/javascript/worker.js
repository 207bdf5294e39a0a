// A workman worker: registers its tasks, takes one at a time, answers it, and comes back when the connection is lost.
const WebSocket = require('ws')

const tasks = new Map(Object.entries({
  add: ({ a, b }) => a + b,
  echo: (options) => options,
  sleep: ({ seconds }) => new Promise((done) => setTimeout(done, seconds * 1000, seconds)),
}))
let delay = 125

function connect() {
  const socket = new WebSocket(`${process.env.WORKMAN_URL || 'ws://localhost:9999'}/worker`)
  const send = (message) => socket.send(JSON.stringify(message))
  socket.on('open', () => {
    console.log('connected')
    delay = 125
    for (const name of tasks.keys()) send({ action: 'RegisterTask', name })
    send({ action: 'GetTask' })
  })
  socket.on('message', async (data) => {
    const { name, options, nonce } = JSON.parse(data)
    console.log('task', name)
    const task = tasks.get(name) || (() => ({ error: `Unknown job ${name}` }))
    const result = await Promise.resolve(options).then(task).catch((e) => ({ error: e.message }))
    send({ action: 'SendResult', nonce, result })
    send({ action: 'GetTask' })
  })
  socket.on('error', (e) => console.log('error', e.message || e.code))
  socket.on('close', () => {
    setTimeout(connect, delay)
    delay = Math.min(delay * 2, 2000)
  })
}

connect()
