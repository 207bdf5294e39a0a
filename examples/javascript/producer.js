// A workman producer: runs two tasks at once, schedules a third for tomorrow, and takes that back.
const WebSocket = require('ws')

const socket = new WebSocket(`${process.env.WORKMAN_URL || 'ws://localhost:9999'}/websocket`)
const waiting = new Map() // answers come as they are ready: the nonce says whose each is
let last = 0

function ask(request) {
  return new Promise((done) => {
    const nonce = ++last
    waiting.set(nonce, done)
    socket.send(JSON.stringify({ ...request, nonce }))
  })
}

socket.on('message', (data) => {
  const { nonce, result } = JSON.parse(data)
  waiting.get(nonce)(result)
  waiting.delete(nonce)
})

socket.on('open', async () => {
  const sum = ask({ action: 'RunTask', name: 'add', options: { a: 2, b: 3 } })
  const echo = ask({ action: 'RunTask', name: 'echo', options: 'héllo' })
  console.log('add', await sum)
  console.log('echo', await echo)

  const when = new Date(Date.now() + 24 * 3600 * 1000).toISOString()
  const { id } = await ask({ action: 'ScheduleTask', when, name: 'echo', options: null })
  const { found } = await ask({ action: 'UnscheduleTask', id })
  console.log('unscheduled', found)
  socket.close()
})

socket.on('error', (e) => {
  console.error(e.message || e.code)
  process.exit(1)
})
