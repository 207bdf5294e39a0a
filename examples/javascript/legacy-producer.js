// A producer as they were written for node-workman: one request at a time on each connection, a fractional hexadecimal
// nonce, and a new connection at once when one is lost. Runs `add` a hundred times over four connections.
const WebSocket = require('ws')

const server = `${process.env.WORKMAN_URL || 'ws://localhost:9999'}/websocket`
const total = 100
let started = 0
let completed = 0
let wrong = 0

function getNonce() {
  return (Date.now() + Math.random()).toString(16)
}

function client() {
  const socket = new WebSocket(server)
  let nonce = ''
  let sum = 0

  function next() {
    if (started === total) return
    started += 1
    nonce = getNonce()
    sum = started + 1
    socket.send(JSON.stringify({ action: 'RunTask', nonce, name: 'add', options: { a: started, b: 1 } }))
  }

  socket.on('open', next)
  socket.on('error', (e) => console.log('error', e.toString()))
  socket.on('close', client)
  socket.on('message', (data) => {
    const answer = JSON.parse(data.toString())
    if (answer.nonce !== nonce) return
    if (answer.result !== sum) wrong += 1
    completed += 1
    if (completed === total) {
      console.log(`completed ${completed}, wrong ${wrong}`)
      process.exit(wrong === 0 ? 0 : 1)
    }
    next()
  })
}

for (let i = 0; i < 4; i += 1) client()
