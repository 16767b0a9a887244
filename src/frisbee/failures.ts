import { failures } from '../util/failures.js';

/** What can fail in a multicast session, at either end. */
export const fail = failures('The multicast session', {
  // a server serves a whole run and is not started anew in it: what ends one is cured by a person
  'address-in-use': {
    blame: 'run',
    cure: 'again',
    meaning: 'Another session has the UDP port.',
    todo: 'Take the next port, or wait for the other session to end.',
  },
  'bad-interface': {
    blame: 'site',
    cure: 'person',
    meaning: 'The address to send from or listen on is none of this machine, or its interface is down.',
    todo: 'Give one of the addresses that "ip address" shows.',
  },
  'bind-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'A UDP port cannot be opened.',
    todo: 'See the cause in the message.',
  },
  'socket-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The system reports an error of the multicast socket.',
    todo: 'See the cause in the message, and look at the network interface.',
  },
  'send-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The server cannot send to the multicast group.',
    todo: 'Look whether the interface is up, and whether there is a route to the group.',
  },
  'image-unreadable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The server cannot read the image.',
    todo: 'Look whether it is there, may be read, and its disk is sound.',
  },
  'image-unservable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image is no file of whole chunks of 1 MiB.',
    todo: 'Copy or save it again.',
  },
  'image-truncated': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image got shorter while it was served.',
    todo: 'Do not change an image that is in use: write a new one and rename it.',
  },
  'server-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The built-in server could not be started.',
    todo: 'See the cause in the message.',
  },
  'server-crashed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The thread of the built-in server ended, and with it every load in the run.',
    todo: 'Start the run again; when it happens again, look for lack of memory, or report it.',
  },
  'server-silent': {
    blame: 'site',
    cure: 'again',
    meaning: 'A frisbee client hears nothing from the server any more.',
    todo: 'Look whether the server still runs, and whether multicast passes.',
  },
  'frisbee-conflict': {
    blame: 'site',
    cure: 'person',
    meaning: 'A block came twice, with different contents.',
    todo: 'Find who else sends in the session, or use another network, group or port.',
  },
  'hub-closed': {
    blame: 'run',
    cure: 'again',
    meaning: 'A client was stopped by the program that it belongs to.',
    todo: 'Nothing, when that program was to end.',
  },
  'writer-crashed': {
    blame: 'site',
    cure: 'again',
    meaning: 'The thread that writes the disk ended.',
    todo: 'Look whether the machine that receives ran out of memory.',
  },
});
