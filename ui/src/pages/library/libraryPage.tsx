import { Button, Drawer } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import { IconFilter, IconFolderPlus, IconPhotoSearch } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { api } from "../../api.ts";
import { EmptyState } from "../../components/emptyState.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Page } from "../../components/page.tsx";
import { useSettings } from "../../queries.ts";
import { ChosenPictures } from "./chosenPictures.tsx";
import { AddFolderDialog, useFolders } from "./dialogs.tsx";
import { DemoNotice, EmptyLibrary } from "./emptyLibrary.tsx";
import { Filters, type FiltersProps } from "./filters.tsx";
import { Grid } from "./grid.tsx";
import classes from "./libraryPage.module.css";
import { useLimits } from "./limits.ts";
import { LibraryProgress } from "./progress.tsx";
import { nothing, type Selection } from "./selection.ts";
import { Tools } from "./tools.tsx";
import { refreshLibrary, usePictures } from "./usePictures.ts";
import { isFiltered, readView, type View, withSearch, writeView } from "./view.ts";

const none: readonly string[] = [];

export function LibraryPage() {
  const [view, setView] = useView();
  const [selection, setSelection] = useSelection(writeView(view));
  const [adding, { open: add, close: stopAdding }] = useDisclosure();
  const filters = useFilters(view, setView);
  const { facets } = filters;
  const empty = facets !== undefined && facets.total === 0 && !isFiltered(view);
  return (
    <Page
      title="Library"
      actions={
        <>
          <LibraryProgress />
          {!empty && (
            <Button variant="default" leftSection={<IconFolderPlus size={18} aria-hidden />} onClick={add}>
              Add folder
            </Button>
          )}
        </>
      }
    >
      {empty ? (
        <EmptyLibrary onAdd={add} />
      ) : (
        <div className={classes.layout}>
          <FilterPanel {...filters} />
          <Results filters={filters} selection={selection} onSelect={setSelection} onAdd={add} />
        </div>
      )}
      <AddFolderDialog opened={adding} onClose={stopAdding} />
    </Page>
  );
}

/** What is chosen is chosen in one view: nobody shall delete what no longer shows. */
function useSelection(view: string): [Selection, (selection: Selection) => void] {
  const [held, hold] = useState({ view, selection: nothing });
  return [held.view === view ? held.selection : nothing, (selection) => hold({ view, selection })];
}

/** The view as the address has it; a change is a step that "back" takes back, unless it only goes on with the one before. */
function useView(): [View, (view: View, goingOn?: boolean) => void] {
  const [, navigate] = useLocation();
  const view = readView(useSearch());
  return [view, (next, goingOn = false) => navigate(withSearch("/", next), { replace: goingOn })];
}

/** All that the filters show, and what they change. */
function useFilters(view: View, onView: FiltersProps["onView"]): FiltersProps {
  const { sort: _sort, bucket: _bucket, ...spreadOf } = view; // the histogram shows all buckets, chosen or not
  const { data: spread, error } = useQuery({
    queryKey: ["library", "histogram", writeView(spreadOf)],
    queryFn: ({ signal }) => api.histogram(spreadOf, signal),
    placeholderData: keepPreviousData,
  });
  const { data: facets } = useQuery({ queryKey: ["library", "facets"], queryFn: ({ signal }) => api.facets(signal) });
  const { data: settings } = useSettings();
  const reward = view.reward ?? spread?.reward ?? settings?.rewards[0] ?? "";
  const [limits, onLimits] = useLimits(reward, refreshLibrary);
  return { view, onView, reward, spread, facets, limits, onLimits, error };
}

/** Beside the pictures, or behind a button where there is no room beside them. */
function FilterPanel(props: FiltersProps) {
  const wide = useMediaQuery("(min-width: 56em)", undefined, { getInitialValueInEffect: false });
  const [opened, { open, close }] = useDisclosure();
  if (wide) {
    return (
      <aside aria-label="Filters" className={classes.filters}>
        <Filters {...props} />
      </aside>
    );
  }
  return (
    <>
      <Button variant="default" leftSection={<IconFilter size={18} aria-hidden />} onClick={open}>
        {isFiltered(props.view) ? "Filters (on)" : "Filters"}
      </Button>
      <Drawer opened={opened} onClose={close} title="Filters" size="20rem">
        <Filters {...props} />
      </Drawer>
    </>
  );
}

interface ResultsProps {
  readonly filters: FiltersProps;
  readonly selection: Selection;
  readonly onSelect: (selection: Selection) => void;
  readonly onAdd: () => void;
}

function Results({ filters, selection, onSelect, onAdd }: ResultsProps) {
  const { view, onView, reward, limits } = filters;
  const [, navigate] = useLocation();
  const { list, items, total, error } = usePictures(view);
  const folders = useFolders();
  const builtIn = (folders ?? []).filter((folder) => folder.builtIn).map(({ path }) => path);
  const onlyDemo = folders?.length === builtIn.length && !isFiltered(view); // then once is enough to say so
  const want = useCallback((upTo: number) => void list.want(upTo), [list]);
  const chosen = { view, list, items, total: total ?? 0, selection, onSelect };
  return (
    <section aria-label="Pictures of the library" className={classes.results}>
      <Tools view={view} onView={onView} total={total} onSelect={onSelect} />
      <ErrorNote error={error} onRetry={() => list.refresh()} />
      {onlyDemo && <DemoNotice onAdd={onAdd} />}
      {total === 0 && (
        <EmptyState
          icon={<IconPhotoSearch size={40} aria-hidden />}
          title="No picture fits these filters."
          actions={<Button onClick={() => onView({ sort: view.sort, reward: view.reward })}>Clear all filters</Button>}
        />
      )}
      <ChosenPictures {...chosen}>
        <Grid
          key={writeView(view)} // another view begins at its top, or where it was left
          items={items}
          total={total ?? 0}
          reward={reward}
          limits={limits}
          demoFolders={onlyDemo ? none : builtIn}
          selection={selection}
          onSelect={onSelect}
          onOpen={({ id }) => navigate(withSearch(`/picture/${id}`, view))}
          onWant={want}
          scroll={list.scroll}
          onLeave={(scroll) => {
            list.scroll = scroll;
          }}
        />
      </ChosenPictures>
    </section>
  );
}
