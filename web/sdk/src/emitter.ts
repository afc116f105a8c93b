/** Events and their handlers: what an application listens to, a client or a room. */

export class Emitter<E> {
  private readonly handlers = new Map<keyof E, Set<(value: any) => void>>();

  /** Returns how to stop. */
  on<K extends keyof E>(event: K, handler: (value: E[K]) => void): () => void {
    let handlers = this.handlers.get(event);
    if (!handlers) this.handlers.set(event, (handlers = new Set()));
    handlers.add(handler);
    return () => void handlers.delete(handler);
  }

  protected emit<K extends keyof E>(event: K, value: E[K]): void {
    for (const handler of [...(this.handlers.get(event) ?? [])]) {
      try {
        handler(value);
      } catch (error) {
        // The application's own mistake must not stop the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  protected forgetHandlers(): void {
    this.handlers.clear();
  }
}
