import { isObject, isText } from '../util/json.js';

/** Whether a value that anybody may have written is of the right kind. */
export type Check = (value: unknown) => boolean;

export const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
export const isBoolean: Check = (value) => typeof value === 'boolean';

/** One of these values. */
export const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);

export const orNull =
  (is: Check): Check =>
  (value) =>
    value === null || is(value);

/** Also when it is left out. */
export const optional =
  (is: Check): Check =>
  (value) =>
    value === undefined || is(value);

export const listOf =
  (is: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(is);

/** An object whose fields are as `fields` says; it may have others besides. */
export function shaped(fields: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(fields);
  return (value) => isObject(value) && checks.every(([name, is]) => is(value[name]));
}

export const isTextOrNull: Check = orNull(isText);

/** A check for each field of `T`. */
export type Checks<T> = { readonly [K in keyof T]-?: Check };
