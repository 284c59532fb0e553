// The shell: what surrounds every page, and which address shows which page.
// A page lies in pages/<name>/<name>Page.tsx and begins with <Page title>; files are named in camel case, as in src.
// For all pages: api.ts (the server's operations), socket.ts (useJob, useServerEvent), queries.ts (useSettings, useModels) and components/.

import { Center, Loader, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { type ComponentType, lazy, Suspense } from "react";
import { Route, Router, Switch } from "wouter";
import { base } from "./base.ts";
import { DropAnywhere } from "./components/dropAnywhere.tsx";
import { EmptyState } from "./components/emptyState.tsx";
import { ErrorBoundary } from "./components/errorBoundary.tsx";
import { Header } from "./components/header.tsx";
import { Page } from "./components/page.tsx";
import classes from "./components/shell.module.css";
import { queryClient } from "./queries.ts";
import { theme } from "./theme.ts";

/** Each page is fetched when it is first shown. */
const page = <Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) =>
  lazy(() => load().then((module) => ({ default: module[name] })));

const pages: Record<string, ComponentType> = {
  "/": page(() => import("./pages/library/libraryPage.tsx"), "LibraryPage"),
  "/picture/:id": page(() => import("./pages/picture/picturePage.tsx"), "PicturePage"),
  "/compare/:a/:b": page(() => import("./pages/compare/comparePage.tsx"), "ComparePage"),
  "/drop": page(() => import("./pages/drop/dropPage.tsx"), "DropPage"),
  // `/refine?picture=ID` begins with a picture of the library, `/refine/JOB` shows a run.
  "/refine/:job?": page(() => import("./pages/refine/refinePage.tsx"), "RefinePage"),
  "/generate/:job?": page(() => import("./pages/generate/generatePage.tsx"), "GeneratePage"),
  "/models": page(() => import("./pages/models/modelsPage.tsx"), "ModelsPage"),
  "/hosts": page(() => import("./pages/hosts/hostsPage.tsx"), "HostsPage"),
  "/settings": page(() => import("./pages/settings/settingsPage.tsx"), "SettingsPage"),
};

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-right" limit={4} />
      <QueryClientProvider client={queryClient}>
        <Router base={base}>
          <a href="#content" className={classes.skip}>
            Skip to content
          </a>
          <Header />
          <main id="content" className={classes.main}>
            <ErrorBoundary>
              <Suspense fallback={<Loading />}>
                <Switch>
                  {Object.entries(pages).map(([path, component]) => (
                    <Route key={path} path={path} component={component} />
                  ))}
                  <Route>
                    <NotFound />
                  </Route>
                </Switch>
              </Suspense>
            </ErrorBoundary>
          </main>
          <DropAnywhere />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  );
}

const Loading = () => (
  <Center h="60vh">
    <Loader aria-label="The page is being loaded" />
  </Center>
);

const NotFound = () => (
  <Page title="No such page">
    <EmptyState title="There is no page at this address.">The library is where everything begins.</EmptyState>
  </Page>
);
