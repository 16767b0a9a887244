// undici, loaded as one piece by whoever sends the first request: a lazy import of a CommonJS package has no names once bundled.
export { Agent, request } from 'undici';
