// Opens `count` connections to a port, a hundred at a time, that say `text` and then nothing. Prints a line when all are
// there; they are held until this process is killed. A process of its own, so that the test stays quick to answer.
import { connect } from 'node:net'

const [port, count, text] = process.argv.slice(2)

const open = () =>
  new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('connect', () => {
      socket.write(text)
      resolve()
    })
    socket.on('error', () => {})
    socket.on('close', resolve)
    socket.resume()
  })

for (let made = 0; made < Number(count); made += 100) await Promise.all(Array.from({ length: 100 }, open))
console.log('open')
setInterval(() => {}, 1 << 30)
