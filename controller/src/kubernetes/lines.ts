/**
 * Cuts a stream of bytes into lines, as a watch sends its events.
 */

/** Yields every complete line, without its end; what follows the last end of line is cut off and not yielded. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  // A line that spans many chunks is kept in pieces: joining at every chunk would copy a large object again and again.
  let pieces: string[] = [];
  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      pieces.push(text.slice(from, end));
      from = end + 1;
      yield pieces.length === 1 ? (pieces[0] as string) : pieces.join('');
      pieces = [];
    }
    if (from < text.length) pieces.push(text.slice(from));
  }
}
