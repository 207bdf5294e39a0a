// A workman worker: registers its tasks, takes one at a time, answers it, and comes back when the connection is lost, with the
// answer that was lost with it.
const WebSocket = require('ws')

const tasks = new Map(Object.entries({
  add: ({ a, b }) => a + b,
  echo: (options) => options,
  sleep: ({ seconds }) => new Promise((done) => setTimeout(done, seconds * 1000, seconds)),
}))
let delay = 125
let session
let last = {} // the task it had last, and the promise of its answer

async function answer({ name, options }) {
  try {
    if (!tasks.has(name)) throw new Error(`Unknown job ${name}`)
    return { action: 'SendResult', result: await tasks.get(name)(options) }
  } catch (e) {
    return { action: 'SendError', error: e.message }
  }
}

function connect() {
  const socket = new WebSocket(`${process.env.WORKMAN_URL || 'ws://localhost:9999'}/worker`)
  const send = (message) => socket.send(JSON.stringify(message))
  socket.on('open', () => {
    console.log('connected')
    delay = 125
    send({ action: 'Hello', version: 1, session })
    for (const name of tasks.keys()) send({ action: 'RegisterTask', name })
  })
  socket.on('message', async (data) => {
    const message = JSON.parse(data)
    if (message.event === 'Hello') {
      session = message.session
      if (!message.resumed?.includes(last.nonce)) return send({ action: 'GetTask' })
    } else if (message.event) { // Cancel, Late, Drain, Error
      return console.log('event', message.event)
    } else {
      console.log('task', message.name)
      last = { nonce: message.nonce, answer: answer(message) }
    }
    const { nonce } = last
    send({ ...await last.answer, nonce, credit: 1 })
  })
  socket.on('error', (e) => console.log('error', e.message || e.code))
  socket.on('close', () => {
    setTimeout(connect, delay)
    delay = Math.min(delay * 2, 2000)
  })
}

connect()
