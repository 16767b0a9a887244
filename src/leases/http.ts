// undici, loaded as one piece by the backend that needs it: a lazy import of a CommonJS package has no names once bundled.
export { Agent, request } from 'undici';
