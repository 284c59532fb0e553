import { ActionIcon, Button, Center, Group, Loader, Stack, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconArrowLeft, IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams, useSearch } from "wouter";
import { api } from "../../api.ts";
import { Card } from "../../components/card.tsx";
import { DemoBadge } from "../../components/demoBadge.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Page } from "../../components/page.tsx";
import { PictureInfo } from "../../components/pictureInfo.tsx";
import { fitted, ZoomButtons, ZoomView } from "../../components/zoomView.tsx";
import { useFolders } from "../library/dialogs.tsx";
import { readView, withSearch } from "../library/view.ts";
import { FileFacts } from "./fileFacts.tsx";
import { type Neighbours, useNeighbours } from "./neighbours.ts";
import { PictureActions, type PictureActionsProps } from "./pictureActions.tsx";
import classes from "./picturePage.module.css";
import { Scores } from "./scores.tsx";

export function PicturePage() {
  const { id = "" } = useParams<{ id: string }>();
  const view = readView(useSearch());
  const neighbours = useNeighbours(id, view);
  const [leaving, setLeaving] = useState<string>(); // who is being deleted need not be asked for again
  const {
    data: picture,
    error,
    refetch,
  } = useQuery({
    queryKey: ["library", "picture", id],
    queryFn: ({ signal }) => api.picture(id, signal),
    enabled: leaving !== id,
  });
  return (
    <Page
      title={picture?.name ?? "Picture"}
      actions={
        <>
          <Button
            variant="default"
            component={Link}
            href={withSearch("/", view)}
            leftSection={<IconArrowLeft size={18} aria-hidden />}
          >
            Library
          </Button>
          <Steps {...neighbours} />
        </>
      }
    >
      <ErrorNote error={error} onRetry={() => void refetch()} />
      {picture ? (
        <Shown key={id} picture={picture} neighbours={neighbours} onLeaving={setLeaving} />
      ) : (
        !error && (
          <Center h="50vh">
            <Loader aria-label="The picture is being fetched" />
          </Center>
        )
      )}
    </Page>
  );
}

/** To the pictures before and after this one, in the order and by the filters of the library. */
function Steps({ before, after, index, total, goTo }: Neighbours) {
  useHotkeys([
    ["ArrowLeft", () => goTo(before)],
    ["ArrowRight", () => goTo(after)],
  ]);
  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon
        variant="default"
        size="input-sm"
        aria-label="The picture before"
        aria-keyshortcuts="ArrowLeft"
        disabled={!before}
        onClick={() => goTo(before)}
      >
        <IconChevronLeft size={20} aria-hidden />
      </ActionIcon>
      <Text size="sm" c="dimmed" ta="center" miw="6.5rem" className={classes.position}>
        {index === undefined || total === undefined
          ? "…"
          : `${(index + 1).toLocaleString()} of ${total.toLocaleString()}`}
      </Text>
      <ActionIcon
        variant="default"
        size="input-sm"
        aria-label="The picture after"
        aria-keyshortcuts="ArrowRight"
        disabled={!after}
        onClick={() => goTo(after)}
      >
        <IconChevronRight size={20} aria-hidden />
      </ActionIcon>
    </Group>
  );
}

function Shown(props: PictureActionsProps) {
  const { picture } = props;
  const [zoom, setZoom] = useState(fitted);
  const builtIn = useFolders()?.some((folder) => folder.builtIn && folder.path === picture.folder) ?? false;
  return (
    <div className={classes.layout}>
      <div className={classes.look}>
        <ZoomView
          src={picture.file}
          alt={picture.prompt ?? picture.name}
          width={picture.width}
          height={picture.height}
          view={zoom}
          onView={setZoom}
          className={classes.big}
        />
        <Group mt="xs" justify="space-between">
          <Group gap="xs">
            {builtIn && <DemoBadge />}
            {picture.host && (
              <Text size="sm" c="dimmed">
                from {picture.host}
              </Text>
            )}
          </Group>
          <ZoomButtons view={zoom} onView={setZoom} />
        </Group>
      </div>
      <Stack className={classes.facts} gap="md">
        <PictureActions {...props} />
        <Card title="Scores">
          <Scores picture={picture} />
        </Card>
        <Card title="How it was made">
          <PictureInfo info={picture.info} />
        </Card>
        <Card title="File">
          <FileFacts picture={picture} />
        </Card>
      </Stack>
    </div>
  );
}
