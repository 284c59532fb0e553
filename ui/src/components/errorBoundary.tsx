import { Component, type ReactNode } from "react";
import { ErrorNote } from "./errorNote.tsx";

/** A page that breaks says so, and leaves the rest standing. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return <ErrorNote error={this.state.error} onRetry={() => location.reload()} />;
  }
}
