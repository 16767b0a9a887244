/** The text of a body, read no further than a little past `maxBytes`; leaving off destroys the stream. `isCut`: there was more. */
export async function limitedText(body: AsyncIterable<unknown>, maxBytes: number): Promise<{ text: string; isCut: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) break;
  }
  return { text: Buffer.concat(chunks).toString('utf8'), isCut: length > maxBytes };
}
