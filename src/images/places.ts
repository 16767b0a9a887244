/** Where images that are saved go: root's into the images folder, anybody else's into the current one. */
export function savedInto(imagesDir: string, host: { uid(): number; cwd(): string }): string {
  return host.uid() === 0 ? imagesDir : host.cwd();
}
